"""MiniStack with what it lacks and Labscape relies on. The product is deployed as it is: gaps are mended here.

Each mend names a function of the pinned version; a version without it stops here, and not somewhere in the test.
"""

import re

from ministack import app
from ministack.services import cloudwatch, lambda_svc, stepfunctions


def spell_dimensions_as_cloudwatch() -> None:
    """CloudWatch's message has `{name, value}`; the emulator repeats the template's `{Name, Value}`."""
    dispatch = cloudwatch._dispatch_alarm_actions

    def mended(alarm, old_state, new_state, reason):
        dimensions = [{"name": d["Name"], "value": d["Value"]} for d in alarm.get("Dimensions") or []]
        return dispatch({**alarm, "Dimensions": dimensions}, old_state, new_state, reason)

    cloudwatch._dispatch_alarm_actions = mended


def evaluate_alarms_by_dimensions() -> None:
    """An alarm watches the metric of its own dimensions; the emulator adds up all metrics of the name."""
    evaluate = cloudwatch._evaluate_alarm

    def mended(alarm):
        wanted = {d["Name"]: d["Value"] for d in alarm.get("Dimensions") or []}
        key = (alarm.get("Namespace"), alarm.get("MetricName"))
        every = cloudwatch._metrics
        own = {k: points for k, points in every.items() if k[:2] == key and points and points[0]["Dimensions"] == wanted}
        cloudwatch._metrics = own
        try:
            return evaluate(alarm)
        finally:
            cloudwatch._metrics = every

    cloudwatch._evaluate_alarm = mended


def name_thrown_errors() -> None:
    """Lambda's `errorType` is the error's name; the emulator calls every one Runtime.HandlerError."""
    execute = lambda_svc._execute_function_warm

    def mended(func, event, request_id):
        result = execute(func, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
            # The log ends with the stack, whose first line is `Name: message`.
            thrown = re.search(r"^([A-Z]\w*): " + re.escape(body["errorMessage"]), result.get("log", ""), re.MULTILINE)
            if thrown:
                result["body"] = {**body, "errorType": thrown.group(1)}
        return result

    lambda_svc._execute_function_warm = mended


def read_timeouts_from_the_state() -> None:
    """TimeoutSecondsPath: the emulator waits for a task token for ever."""
    execute = stepfunctions._execute_task

    def mended(state_def, raw_input, execution, ctx):
        path = state_def.get("TimeoutSecondsPath")
        if path is not None:
            state_def = {**state_def, "TimeoutSeconds": stepfunctions._resolve_path(path, raw_input)}
        return execute(state_def, raw_input, execution, ctx)

    stepfunctions._execute_task = mended


if __name__ == "__main__":
    for mend in (
        spell_dimensions_as_cloudwatch,
        evaluate_alarms_by_dimensions,
        name_thrown_errors,
        read_timeouts_from_the_state,
    ):
        mend()
    app.main()
