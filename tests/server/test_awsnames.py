"""What only reads at AWS is told by its name, and what is not known to, changes."""

import pytest

from wand_server import awsnames

READS = (
    "s3.ListBuckets", "s3.get_object", "s3.HeadObject", "ec2.DescribeInstances", "rds.DescribeDBInstances",
    "sts.GetCallerIdentity", "dynamodb.Query", "logs.FilterLogEvents", "secretsmanager.ListSecrets",
    "kms.DescribeKey", "cognito-idp.ListUserPoolClients", "s3.GetPublicAccessBlock",
)  # fmt: skip
CHANGES = (
    "redshift-data.Query", "s3.PutObject", "ec2.TerminateInstances", "sqs.ReceiveMessage", "sts.AssumeRole",
    "x.Getaway", "x.Listen", "sts.GetSessionToken", "sts.GetFederationToken", "ssm.GetParameter",
    "sso.GetRoleCredentials", "secretsmanager.GetSecretValue", "ec2.GetPasswordData",
    "cognito-identity.GetId", "amplify.GetArtifactUrl",
    "x.getDashboardEmbedURL", "s3control.GetDataAccess", "gamelift.GetComputeAccess", "ivs.GetStreamKey",
    "lightsail.GetInstanceAccessDetails", "codepipeline.GetJobDetails", "emr-serverless.GetSessionEndpoint",
    "cognito-idp.DescribeUserPoolClient", "ec2.DescribeVpnConnections", "location.DescribeKey",
    "apigateway.GetApiKeys", "kafka.BatchAssociateScramSecret", "x.", "x.get",
)  # fmt: skip


@pytest.mark.parametrize(
    ("what", "reads"), [*((one, True) for one in READS), *((one, False) for one in CHANGES)]
)
def test_an_operation_reads_or_changes_by_its_name(what: str, *, reads: bool) -> None:
    service, _, operation = what.partition(".")
    assert awsnames.only_reads(service, operation) is reads
    assert awsnames.only_reads(service, awsnames.snake(operation)) is reads
