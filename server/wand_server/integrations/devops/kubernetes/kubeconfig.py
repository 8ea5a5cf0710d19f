"""A kubeconfig, as JSON: where its current context leads, and as whom."""

import base64
import binascii
import json
from typing import Any

from pydantic import BaseModel, SecretStr

from wand_proto.errors import Invalid
from wand_server.integrations.kit.signin import secret

_HOW = "make it by: kubectl config view --raw --flatten --minify -o json"
_PARTS = ("base_url", "token", "ca", "certificate", "key")


def completed(settings: BaseModel) -> BaseModel:
    """The settings, with what the kubeconfig among them says; what they say themselves wins.

    Raises:
        Invalid: it cannot be read, or wants what cannot be here.
    """
    text = secret(settings, "kubeconfig")
    if not text:
        return settings
    told = _read(text)
    given = {name: told[name] for name in _PARTS if told.get(name) and not secret(settings, name)}
    opened = {name: value if name == "base_url" else SecretStr(value) for name, value in given.items()}
    return settings.model_copy(update=opened)


def _read(text: str) -> dict[str, str]:
    try:
        whole = json.loads(text)
        named = whole["current-context"]
        context = _of(whole["contexts"], named)["context"]
        cluster = _of(whole["clusters"], context["cluster"])["cluster"]
        user = _of(whole["users"], context["user"])["user"]
        return {"base_url": cluster["server"], **_signs(cluster, user)}
    except (ValueError, KeyError, TypeError, StopIteration) as why:
        raise Invalid("is no kubeconfig in JSON", hint=_HOW, field="kubeconfig") from why


def _of(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(one for one in entries if one["name"] == name)


def _signs(cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, str]:
    if "exec" in user or "auth-provider" in user:
        hint = "give the token of a service account instead: kubectl create token NAME"
        raise Invalid("wants a program to sign in, and the server runs none", hint=hint, field="kubeconfig")
    if cluster.get("insecure-skip-tls-verify"):
        raise Invalid("wants no check of the cluster's certificate", hint="give its ca", field="kubeconfig")
    return {
        "token": user.get("token", ""),
        "ca": _pem(cluster.get("certificate-authority-data", "")),
        "certificate": _pem(user.get("client-certificate-data", "")),
        "key": _pem(user.get("client-key-data", "")),
    }


def _pem(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as why:
        raise Invalid("has data that is no base64", hint=_HOW, field="kubeconfig") from why
