"""AWS' operations against moto's server, and what they look for beside the settings: nothing."""

import asyncio
import base64
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from support.foreign import Says, serving
from support.host import FakeHost, call
from support.places import free_port
from support.servers import PROGRAMS, running
from support.services import FakeLedger
from wand_proto.errors import Ambiguous, Denied, Exhausted, Invalid, NotFound, Unavailable, WandError
from wand_server.integrations.catalog import Catalog
from wand_server.integrations.devops.aws import AWS
from wand_server.integrations.instances import Instances
from wand_server.integrations.kit.secrets import Sources
from wand_server.tools import named
from wand_server.tools.registry import Registry

KEY, SECRET, REGION = "AKIAOFATEST", "secret-of-a-test", "eu-central-1"
ROLE = "arn:aws:iam::123456789012:role/reader"
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(not (PROGRAMS / "moto_server").exists(), reason="no moto: ./dev services"),
]


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    words = [str(PROGRAMS / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with running(words, url, tmp_path_factory.mktemp("moto")):
        yield url


@asynccontextmanager
async def opened(url: str, **more: Any) -> AsyncIterator[AWS]:
    keys = {"access_key_id": KEY, "secret_access_key": SecretStr(SECRET), "region": REGION}
    service = AWS(AWS.Config.model_validate({"base_url": url, **keys, **more}))
    await service.initialize()
    try:
        yield service
    finally:
        await service.cleanup()


@pytest.fixture
async def aws(moto: str) -> AsyncIterator[AWS]:
    async with opened(moto) as service:
        yield service


async def do(aws: AWS, what: str, *, how: str = "", **parameters: Any) -> Any:
    service, _, action = what.partition(".")
    reads = action.startswith(("list", "get", "describe", "head", "List", "Get", "Describe"))
    given = {"service": service, "action": action, "parameters": parameters}
    return await aws.execute(how or ("read" if reads else "change"), given)


async def test_who_we_are_is_told(aws: AWS) -> None:
    await aws.health_check()
    assert (await do(aws, "sts.get_caller_identity"))["Account"] == "123456789012"
    assert set(await do(aws, "sts.GetCallerIdentity")) == {"UserId", "Account", "Arn"}


async def test_objects_of_s3_go_up_and_come_down_as_text_and_as_bytes(aws: AWS) -> None:
    where = {"LocationConstraint": REGION}
    await do(aws, "s3.create_bucket", Bucket="things", CreateBucketConfiguration=where)
    await do(aws, "s3.put_object", Bucket="things", Key="a.txt", Body="é", Metadata={"who": "ann"})
    await do(aws, "s3.put_object", Bucket="things", Key="b", Body={"base64": "AP8="})
    read = await do(aws, "s3.get_object", Bucket="things", Key="a.txt")
    assert (read["Body"], read["Metadata"], read["LastModified"][:2]) == ("é", {"who": "ann"}, "20")
    assert (await do(aws, "s3.get_object", Bucket="things", Key="b"))["Body"] == {"base64": "AP8="}
    listed = await do(aws, "s3.list_objects_v2", Bucket="things")
    assert [one["Key"] for one in listed["Contents"]] == ["a.txt", "b"]
    with pytest.raises(NotFound, match="NoSuchKey"):
        await do(aws, "s3.get_object", Bucket="things", Key="none")
    with pytest.raises(Invalid, match="base64"):
        await do(aws, "s3.put_object", Bucket="things", Key="c", Body={"base64": "%"})


async def test_instances_of_ec2_are_started_and_stopped(aws: AWS) -> None:
    images = await do(aws, "ec2.describe_images", Owners=["amazon"])
    made = await do(aws, "ec2.run_instances", ImageId=images["Images"][0]["ImageId"], MinCount=1, MaxCount=1)
    (one,) = made["Instances"]
    await do(aws, "ec2.stop_instances", InstanceIds=[one["InstanceId"]])
    told = await do(aws, "ec2.describe_instances", InstanceIds=[one["InstanceId"]])
    assert told["Reservations"][0]["Instances"][0]["State"]["Name"] == "stopped"


async def test_a_function_of_lambda_is_made_and_listed(aws: AWS) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", "def f(event, context): return event")
    policy = {"Version": "2012-10-17", "Statement": []}
    role = await do(aws, "iam.create_role", RoleName="runs", AssumeRolePolicyDocument=json.dumps(policy))
    code = {"ZipFile": {"base64": base64.b64encode(packed.getvalue()).decode()}}
    about = {"Role": role["Role"]["Arn"], "Runtime": "python3.11", "Handler": "f.f", "Code": code}
    await do(aws, "lambda.create_function", FunctionName="echo", **about)
    assert [one["FunctionName"] for one in (await do(aws, "lambda.list_functions"))["Functions"]] == ["echo"]


async def test_messages_secrets_and_metrics_come_back(aws: AWS) -> None:
    queue = (await do(aws, "sqs.create_queue", QueueName="jobs"))["QueueUrl"]
    topic = (await do(aws, "sns.create_topic", Name="news"))["TopicArn"]
    arn = (await do(aws, "sqs.get_queue_attributes", QueueUrl=queue, AttributeNames=["QueueArn"]))[
        "Attributes"
    ]
    await do(aws, "sns.subscribe", TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    await do(aws, "sns.publish", TopicArn=topic, Message="it is done: é")
    (message,) = (await do(aws, "sqs.receive_message", QueueUrl=queue))["Messages"]
    assert json.loads(message["Body"])["Message"] == "it is done: é"
    await do(aws, "secretsmanager.create_secret", Name="db", SecretString="hush")
    with pytest.raises(Denied, match="changes something"):
        await do(aws, "secretsmanager.get_secret_value", SecretId="db")
    assert (await do(aws, "secretsmanager.get_secret_value", how="change", SecretId="db"))[
        "SecretString"
    ] == "hush"
    metric = {"MetricName": "orders", "Value": 3.5, "Timestamp": "2026-01-02T03:04:05Z"}
    await do(aws, "cloudwatch.put_metric_data", Namespace="shop", MetricData=[metric])
    assert [
        one["MetricName"] for one in (await do(aws, "cloudwatch.list_metrics", Namespace="shop"))["Metrics"]
    ] == ["orders"]


async def test_what_reads_cannot_be_made_to_change(aws: AWS) -> None:
    for what in (
        "ec2.terminate_instances",
        "sts.get_session_token",
        "s3.DeleteBucket",
        "sqs.receive_message",
    ):
        with pytest.raises(Denied, match="changes something"):
            await do(aws, what, how="read")


async def test_actions_are_listed_and_described(aws: AWS) -> None:
    services = await aws.execute("list_services", {})
    assert len(services) > 300
    assert {"s3", "ec2", "lambda", "sqs", "sns", "secretsmanager", "cloudwatch", "sts"} <= set(services)
    actions = {one["action"]: one["changes"] for one in await aws.execute("list_actions", {"service": "sqs"})}
    assert (actions["list_queues"], actions["send_message"], actions["receive_message"]) == (
        False,
        True,
        True,
    )
    told = await aws.execute("describe_action", {"service": "sqs", "action": "SendMessage"})
    assert (told["action"], told["changes"]) == ("send_message", True)
    assert told["parameters"]["required"] == ["QueueUrl", "MessageBody"]
    assert "<" not in told["description"]


@pytest.mark.parametrize(
    ("what", "given", "kind", "says"),
    [
        (
            "sqs.send_message",
            {"QueueUrl": 3, "Body": "x"},
            Invalid,
            "Missing required parameter.*MessageBody",
        ),
        ("sqs.sned_message", {}, NotFound, "no action"),
        ("skynet.launch", {}, Invalid, "Unknown service"),
        ("ec2.stop_instances", {"InstanceIds": ["i-1"]}, NotFound, "InvalidInstanceID.NotFound"),
    ],
)
async def test_what_is_wrong_is_said(
    aws: AWS, what: str, given: dict[str, Any], kind: type[WandError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        await do(aws, what, how="change", **given)


async def test_another_region_is_asked_where_it_is_named(aws: AWS) -> None:
    given = {"service": "sns", "action": "create_topic", "parameters": {"Name": "n"}, "region": "us-west-2"}
    assert ":us-west-2:" in (await aws.execute("change", given))["TopicArn"]
    with pytest.raises(Invalid, match="region"):
        await aws.execute("change", {**given, "region": "a.evil.example/"})


async def test_only_what_the_settings_name_may_be_asked_for(moto: str) -> None:
    async with opened(moto, only=["sns.list_*", "sns.create_topic"]) as aws:
        await do(aws, "sns.create_topic", Name="n")
        await do(aws, "sns.list_topics")
        for what in ("sns.delete_topic", "s3.list_buckets"):
            with pytest.raises(Denied, match="not permitted here"):
                await do(aws, what)


async def test_nothing_is_looked_for_on_the_machine(
    moto: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aws" / "models" / "sts" / "2011-06-15").mkdir(parents=True)
    poison = "endpoint_url = http://127.0.0.1:1\nregion = us-gov-east-1\nca_bundle = /nowhere\n"
    (tmp_path / ".aws" / "config").write_text(f"[default]\n{poison}credential_process = /bin/false\n")
    (tmp_path / ".aws" / "credentials").write_text("[default]\naws_access_key_id = AKIAOTHER\n")
    (tmp_path / ".aws" / "models" / "sts" / "2011-06-15" / "service-2.json").write_text("{}")
    surroundings = {
        "HOME": str(tmp_path), "AWS_PROFILE": "nobody", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "AKIAOTHER", "AWS_SECRET_ACCESS_KEY": "other", "AWS_CA_BUNDLE": "/nowhere",
        "AWS_BEARER_TOKEN_BEDROCK": "other", "AWS_DATA_PATH": str(tmp_path), "AWS_DEFAULT_REGION": "x",
    }  # fmt: skip
    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    async with opened(moto) as aws:
        assert (await do(aws, "sts.get_caller_identity"))["Account"] == "123456789012"
        assert "bedrock-runtime" in await aws.execute("list_services", {})
    with pytest.raises(Invalid, match="access_key_id"):
        async with opened(moto, access_key_id=""):
            pass
    async with serving(Says(status=403, text="no")) as heard, opened(heard.url) as aws:
        with pytest.raises(Denied):
            await do(aws, "bedrock-runtime.invoke_model", modelId="m", body="{}")
    assert f"Credential={KEY}/" in heard.asked[0].headers["authorization"]


async def test_a_role_is_assumed_and_its_keys_are_kept_secret(moto: str) -> None:
    async with opened(moto, role_arn=ROLE, external_id="ours") as aws:
        assert ":assumed-role/reader/wand" in (await do(aws, "sts.get_caller_identity"))["Arn"]
        assert aws.strike.out_of(SECRET) == "[secret]"


async def test_the_machine_says_who_it_is_only_where_that_is_set(moto: str) -> None:
    more = {"access_key_id": "", "secret_access_key": None, "credentials": "machine", "metadata_url": moto}
    async with opened(moto, **more) as aws:
        assert (await do(aws, "sts.get_caller_identity"))["Account"] == "123456789012"


async def test_an_address_of_our_own_networks_is_refused_unless_the_settings_name_it(moto: str) -> None:
    async with serving(Says(body={})) as inside, opened("") as aws:
        for what, given in (
            ("machinelearning.predict", {"MLModelId": "m", "Record": {}, "PredictEndpoint": inside.url}),
            ("s3.list_objects_v2", {"Bucket": "127.0.0.1"}),
        ):
            with pytest.raises(WandError):
                await do(aws, what, how="" if what.startswith("s3") else "change", **given)
    assert inside.asked == []


async def test_what_changes_is_sent_once_and_its_lost_answer_is_no_refusal() -> None:
    async with serving(Says(hangs_up=True)) as gone, opened(gone.url) as aws:
        with pytest.raises(Ambiguous, match="may have been done"):
            await do(aws, "sns.publish", TopicArn="arn:aws:sns:eu-central-1:1:n", Message="m")
        assert len(gone.asked) == 1
        with pytest.raises(Unavailable, match="cannot be reached"):
            await do(aws, "sns.list_topics")
        assert len(gone.asked) == 4
    slow = Says(status=400, body={"__type": "ThrottlingException", "message": "slower"})
    async with serving(slow) as busy, opened(busy.url) as aws:
        with pytest.raises(Exhausted, match="slower"):
            await do(aws, "dynamodb.list_tables")


async def test_the_tool_reads_or_changes_by_the_name_and_both_are_on_record(moto: str) -> None:
    table = {"access_key_id": KEY, "secret_access_key": "env:AWS", "region": REGION, "base_url": moto}
    ledger = FakeLedger()
    instances = Instances(Catalog(), ledger, lambda: "a1", Sources({"AWS": SECRET}))
    instances.configure({"aws": table})
    tools = Registry(FakeHost(), named.entries(instances))
    try:
        given = {"service": "sns", "operation": "CreateTopic", "parameters": {"Name": "told"}}
        made = await tools.call("aws_operation", given, call())
        read = await tools.call("aws_operation", {"service": "sns", "operation": "list_topics"}, call())
    finally:
        await instances.close()
    assert made.structured["result"]["TopicArn"].endswith(":told")
    assert any(one["TopicArn"].endswith(":told") for one in read.structured["result"]["Topics"])
    assert [name for _, name, _ in ledger.told if name.startswith("aws")] == [
        "aws.change.sns.create_topic",
        "aws.read.sns.list_topics",
    ]


async def test_several_wait_for_one_client(moto: str) -> None:
    async with opened(moto) as aws:
        await asyncio.gather(*(do(aws, "sts.get_caller_identity") for _ in range(20)))
