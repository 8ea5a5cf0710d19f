"""Pages that a client may show beside a conversation: output of a job, and what waits for a yes.

They are for MCP Apps (`io.modelcontextprotocol/ui`): a client puts one into a frame without an origin and
speaks JSON-RPC with it. They load nothing, and put into the page only text.
"""

import base64
import hashlib
from typing import Any

from wand_server.model import ResourceContent

KIND = "text/html;profile=mcp-app"
JOB, APPROVAL = "ui://wand/job", "ui://wand/approval"

_STYLE = """\
:root { color-scheme: light dark; font: 14px/1.4 system-ui, sans-serif; }
body { margin: 0; padding: 12px; }
pre { font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; margin: 8px 0;
  padding: 8px; max-height: 400px; overflow: auto; border: 1px solid #8884; border-radius: 6px; }
h1 { font-size: 15px; margin: 0 0 8px; }
.bad { color: #c33; }
button { font: inherit; padding: 4px 12px; margin-right: 8px; }
"""

_SCRIPT = """\
"use strict";
const MOST = 200000, SECONDS = 2;
const page = document.getElementById("page"), waiting = new Map();
let numbers = 0, tool = "", given = {}, canCall = false, following = null;

const post = (message) => window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
const tell = (method, params = {}) => post({ method, params });
const ask = (method, params) => new Promise((yes, no) => {
  waiting.set(++numbers, { yes, no });
  post({ id: numbers, method, params });
});
const call = (name, given) => ask("tools/call", { name, arguments: given });

function part(kind, text, style = "") {
  const made = document.createElement(kind);
  made.textContent = text;
  made.className = style;
  return made;
}

function show(...parts) {
  page.replaceChildren(...parts);
  tell("ui/notifications/size-changed", { height: Math.ceil(page.getBoundingClientRect().height) + 24 });
}

function button(label, act) {
  const made = part("button", label);
  made.onclick = async () => {
    made.disabled = true;
    try { await act(); } catch (why) { show(part("p", String(why.message ?? why), "bad")); }
  };
  return made;
}

const words = (result) =>
  (result.content ?? []).filter((one) => one.type === "text").map((one) => one.text).join("\\n");

function approval(text) {
  const [said, hint] = text.replace(/^NeedsApproval: /, "").split("\\nHint: ");
  const parts = [part("h1", "A person on the host must say yes first"), part("pre", said)];
  if (hint) parts.push(part("pre", hint));
  const again = async () => result(await call(tool, given));
  if (canCall && tool) parts.push(button("They said yes: go on", again));
  show(...parts);
}

function state(job) {
  if (job.running ?? job.reason === "running") return `job ${job.job} is running`;
  const by = job.signal ? `ended by ${job.signal}` : `exit code ${job.exit_code}`;
  return job.reason && job.reason !== "exited" ? `${by} (${job.reason})` : by;
}

function output(job, before = "") {
  const runs = job.running ?? job.reason === "running";
  const printed = (before + job.stdout).slice(-MOST);
  const parts = [part("h1", state(job), job.exit_code || job.signal ? "bad" : "")];
  for (const note of job.notes ?? []) parts.push(part("p", note));
  if (printed) parts.push(part("pre", printed));
  if (job.stderr) parts.push(part("pre", job.stderr, "bad"));
  if (!printed && !job.stderr) parts.push(part("p", runs ? "Nothing so far." : "It printed nothing."));
  const again = async (more) => {
    const told = await call("send_input", { job: job.job, offset: job.next_offset ?? 0, ...more });
    if (told.isError || !told.structuredContent) return result(told);
    output(told.structuredContent, job.next_offset === undefined ? "" : printed);
  };
  clearTimeout(following?.timer);
  if (runs && canCall) {
    if (following) following.timer = setTimeout(() => again({ wait_seconds: SECONDS }), SECONDS * 1000);
    else parts.push(button("Follow", () => { following = {}; return again({ wait_seconds: 0 }); }));
    parts.push(button("Stop", () => again({ key: "ctrl-c" })));
  }
  show(...parts);
  const last = page.querySelector("pre");
  if (last) last.scrollTop = last.scrollHeight;
}

function result(told) {
  const text = words(told);
  if (told.isError && text.startsWith("NeedsApproval: ")) return approval(text);
  if (typeof told.structuredContent?.stdout === "string") return output(told.structuredContent);
  show(part("pre", text, told.isError ? "bad" : ""));
}

const hear = {
  "ui/notifications/tool-input": (told) => {
    given = told.arguments ?? {};
    show(part("p", "Waiting for the answer."));
  },
  "ui/notifications/tool-result": result,
  "ui/notifications/tool-cancelled": () => show(part("p", "It was cancelled.")),
};

window.addEventListener("message", (event) => {
  const message = event.data;
  if (event.source !== window.parent || message?.jsonrpc !== "2.0") return;
  const asked = waiting.get(message.id);
  if (message.method === undefined && asked) {
    waiting.delete(message.id);
    if (message.error) asked.no(message.error);
    else asked.yes(message.result);
  } else if (message.method === "ui/resource-teardown" || message.method === "ping") {
    clearTimeout(following?.timer);
    post({ id: message.id, result: {} });
  } else if (Object.hasOwn(hear, message.method)) {
    hear[message.method](message.params ?? {});
  }
});

ask("ui/initialize", {
  appInfo: { name: "wand", version: "1" }, appCapabilities: {}, protocolVersion: "2026-01-26",
}).then((host) => {
  tool = host.hostContext?.toolInfo?.tool?.name ?? "";
  canCall = host.hostCapabilities?.serverTools !== undefined;
  const theme = host.hostContext?.theme;
  if (theme === "dark" || theme === "light") document.documentElement.style.colorScheme = theme;
  tell("ui/notifications/initialized");
});
"""


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _page(title: str) -> bytes:
    """The page: nothing but its own style and script may take effect in it, whatever a job prints."""
    allowed = f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{allowed}"><title>{title}</title>'
        f'<style>{_STYLE}</style></head><body><div id="page"></div><script>{_SCRIPT}</script></body></html>\n'
    ).encode()


_NOTHING: dict[str, Any] = {
    "connectDomains": [],
    "resourceDomains": [],
    "frameDomains": [],
    "baseUriDomains": [],
}
_PAGES = {JOB: _page("What a job printed"), APPROVAL: _page("What waits for a yes")}


def read(uri: str) -> ResourceContent | None:
    """The page of that URI, where there is one."""
    if uri not in _PAGES:
        return None
    meta = {"ui": {"csp": _NOTHING, "prefersBorder": True}}
    return ResourceContent(uri=uri, mime_type=KIND, data=_PAGES[uri], meta=meta)
