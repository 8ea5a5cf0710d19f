"""Signatures are those that AWS has published: the test suite of Signature Version 4, and S3's examples."""

from datetime import UTC, datetime

import pytest

from wand_server.integrations.kit.request import Request
from wand_server.integrations.kit.sigv4 import Credentials, presigned_url, signed_headers

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
SUITE = Credentials(
    access_key="AKIDEXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    region="us-east-1",
    service="service",
)
S3 = Credentials(
    access_key="AKIAIOSFODNN7EXAMPLE",
    secret_key="wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    region="us-east-1",
    service="s3",
)
THEN = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
IN_2013 = datetime(2013, 5, 24, tzinfo=UTC)
EXAMPLE = "https://example.amazonaws.com"
BUCKET = "https://examplebucket.s3.amazonaws.com"


@pytest.mark.parametrize(
    ("request_", "who", "when", "signature"),
    [
        (  # get-vanilla
            Request(method="GET", path="/", base_url=EXAMPLE),
            SUITE,
            THEN,
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (  # get-vanilla-query-order-key-case
            Request(method="GET", path="/", base_url=EXAMPLE, query={"Param2": "value2", "Param1": "value1"}),
            SUITE,
            THEN,
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (  # post-vanilla
            Request(method="POST", path="/", base_url=EXAMPLE),
            SUITE,
            THEN,
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (  # Amazon S3 API reference, "Authenticating requests": GET Object
            Request(method="GET", path="/test.txt", base_url=BUCKET, headers={"Range": "bytes=0-9"}),
            S3,
            IN_2013,
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (  # the same, GET Bucket Lifecycle
            Request(method="GET", path="/", base_url=BUCKET, query={"lifecycle": ""}),
            S3,
            IN_2013,
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (  # the same, GET Bucket (List Objects)
            Request(method="GET", path="/", base_url=BUCKET, query={"max-keys": "2", "prefix": "J"}),
            S3,
            IN_2013,
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ],
)
def test_a_request_is_signed_as_published(
    request_: Request, who: Credentials, when: datetime, signature: str
) -> None:
    headers = signed_headers(request_, who, when, EMPTY)
    assert headers["Authorization"].endswith(f"Signature={signature}")


def test_a_url_is_signed_as_published() -> None:
    request = Request(method="GET", path="/test.txt", base_url=BUCKET)  # S3's "Authenticating by query"
    assert presigned_url(request, S3, IN_2013, 86400) == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
