"""One call to a service of the emulated cloud, as the AWS command line makes it: SERVICE OPERATION JSON."""

import json
import os
import sys

import botocore.session

service, operation, arguments = sys.argv[1:]
client = botocore.session.get_session().create_client(
    service, region_name=os.environ["AWS_REGION"], endpoint_url=os.environ["AWS_ENDPOINT_URL"]
)
print(json.dumps(getattr(client, operation)(**json.loads(arguments)), default=str))
