"""MiniStack with what it lacks and Labscape relies on. The product is deployed as it is: gaps are mended here.

Each mend names a function of the pinned version; a version without it stops here, and not somewhere in the test.
"""

import logging
import os
import re
import signal
import threading
import time

from ministack import app
from ministack.core import iam_actions
from ministack.services import cloudwatch, lambda_svc, stepfunctions

logger = logging.getLogger("labscape")


def spell_dimensions_as_cloudwatch() -> None:
    """CloudWatch's message has `{name, value}`; the emulator repeats the template's `{Name, Value}`."""
    dispatch = cloudwatch._dispatch_alarm_actions

    def mended(alarm, old_state, new_state, reason):
        dimensions = [{"name": d["Name"], "value": d["Value"]} for d in alarm.get("Dimensions") or []]
        return dispatch({**alarm, "Dimensions": dimensions}, old_state, new_state, reason)

    cloudwatch._dispatch_alarm_actions = mended


def name_thrown_errors() -> None:
    """Lambda's `errorType` is the error's name; the emulator calls every one Runtime.HandlerError.

    The log ends with the stack, which function-runtime.ts lets begin with `Name: message`.
    """
    execute = lambda_svc._execute_function_warm

    def mended(func, event, request_id):
        result = execute(func, event, request_id)
        body = result.get("body")
        if result.get("error") and isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError":
            thrown = re.search(r"^([A-Z][\w.]*): " + re.escape(body["errorMessage"]), result.get("log", ""), re.MULTILINE)
            if thrown:
                result["body"] = {**body, "errorType": thrown.group(1)}
        return result

    lambda_svc._execute_function_warm = mended


def repeat_errors_of_functions() -> None:
    """What a function logs as an error goes into our log as well, where the test's reader finds it."""
    execute = lambda_svc._execute_function_warm

    def mended(func, event, request_id):
        result = execute(func, event, request_id)
        for line in result.get("log", "").splitlines():
            if '"level":"ERROR"' in line:
                logger.error("%s: %s", func["config"]["FunctionName"], line)
        if result.get("error"):
            logger.error("%s: %s", func["config"]["FunctionName"], result.get("body"))
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


def authorise_answers_by_their_machine() -> None:
    """Who answers a task needs the right to on the task's state machine; the emulator wants it on `*`.

    AWS's reference says `*` as well, and AWS does otherwise: its refusals name the machine, and CDK grants on it.
    """
    execute = stepfunctions._execute_task
    extract = iam_actions.extract_resource_arn
    running = []

    def remember(state_def, raw_input, execution, ctx):
        running.append(ctx)
        try:
            return execute(state_def, raw_input, execution, ctx)
        finally:
            running[:] = [other for other in running if other is not ctx]

    def mended(service, method, path, headers, body, *rest):
        token = iam_actions._safe_json_field(body, "taskToken") if service == "states" else None
        for ctx in list(running) if token else []:
            if ctx.get("Task", {}).get("Token") == token:
                return ctx["StateMachine"]["Id"]
        return extract(service, method, path, headers, body, *rest)

    stepfunctions._execute_task = remember
    iam_actions.extract_resource_arn = mended


def end_with_the_test() -> None:
    """A test that was killed cannot stop us: when our parent is gone, the whole group ends."""
    parent = os.getppid()

    def watch():
        while os.getppid() == parent:
            time.sleep(1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_the_test()
    for mend in (
        spell_dimensions_as_cloudwatch,
        name_thrown_errors,
        repeat_errors_of_functions,
        read_timeouts_from_the_state,
        authorise_answers_by_their_machine,
    ):
        mend()
    app.main()
