"""What AWS and botocore complain of, in the words of Wand's errors."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
from botocore import exceptions

from wand_proto.errors import (
    Ambiguous,
    Conflict,
    Denied,
    Exhausted,
    Invalid,
    NotFound,
    Unavailable,
    WandError,
)
from wand_server.integrations.kit.secrets import Strike

_KINDS: tuple[tuple[str, type[WandError]], ...] = (
    (r"AccessDenied|Unauthorized|NotAuthorized|AuthFailure|Forbidden|OptInRequired", Denied),
    (r"InvalidClientTokenId|SignatureDoesNotMatch|Expired|UnrecognizedClient", Denied),
    (r"Throttl|TooManyRequests|SlowDown|RequestLimitExceeded|LimitExceeded|QuotaExceeded", Exhausted),
    (r"NoSuch|NotFound|NonExistent|DoesNotExist|^404$", NotFound),
    (r"Exists|Conflict|InUse|NotEmpty|Precondition|IncorrectState|IncorrectInstanceState|^412$", Conflict),
    (r"Unavailable|InternalError|InternalFailure|InternalServer", Unavailable),
)  # fmt: skip
_BY_STATUS = {401: Denied, 403: Denied, 404: NotFound, 409: Conflict, 412: Conflict, 429: Exhausted}
_UNSENT = (
    exceptions.EndpointConnectionError,
    exceptions.ConnectTimeoutError,
    exceptions.ProxyConnectionError,
    aiohttp.ClientConnectorError,
)


@contextmanager
def telling(strike: Strike, *, reads: bool) -> Iterator[None]:
    """Raise what is raised within as ours; what changes may have been done where no answer came."""
    try:
        yield
    except exceptions.ClientError as why:
        error = _told(why, reads=reads)
        error.message = strike.out_of(error.message)
        raise error from None
    except exceptions.ParamValidationError as why:
        said = "; ".join(str(why).partition("\n")[2].splitlines()) or str(why)
        raise Invalid(said, hint="aws.describe_action tells what it takes", field="parameters") from None
    except exceptions.UnknownServiceError as why:
        raise Invalid(
            str(why)[:300], hint="aws.list_services tells which there are", field="service"
        ) from None
    except _UNSENT as why:
        raise Unavailable(f"cannot be reached: {strike.out_of(str(why))}") from None
    except (exceptions.HTTPClientError, aiohttp.ClientError, TimeoutError, OSError) as why:
        raise _unanswered(strike.out_of(str(why)) or type(why).__name__, reads=reads) from None
    except exceptions.BotoCoreError as why:
        raise Invalid(strike.out_of(str(why))) from None


def _told(why: exceptions.ClientError, *, reads: bool) -> WandError:
    error = why.response.get("Error", {})
    code, said = str(error.get("Code", "")), str(error.get("Message", ""))
    status = int(why.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if status >= 500 and not reads:
        return _unanswered(f"{code}: {said}", reads=False)
    kind = next((kind for signs, kind in _KINDS if re.search(signs, code)), None)
    kind = kind or _BY_STATUS.get(status) or (Unavailable if status >= 500 else Invalid)
    return kind(f"{code}: {said}", field="parameters" if kind is Invalid else "")


def _unanswered(why: str, *, reads: bool) -> WandError:
    if reads:
        return Unavailable(f"cannot be reached: {why}")
    said = f"it may have been done, or not: {why}"
    return Ambiguous(said, hint="look whether it was, before you ask again")
