"""A server of the real kind with an application that only tells what it was asked. `python -m … ADDRESS PUBLIC`"""

import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from appliance.serving import Lamp
from appliance.web.front import Front
from appliance.web.media import Media
from appliance.web.server import Gunicorn

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


def echo(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
    """Method, path, query and body as JSON; /slow takes a second, /broken fails, /big sends 8 MiB."""
    if environ["PATH_INFO"] == "/broken":
        raise RuntimeError("as asked")
    if environ["PATH_INFO"] == "/slow":
        time.sleep(1)
    if environ["PATH_INFO"] == "/big":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x" * (1 << 20)] * 8
    said = {
        "method": environ["REQUEST_METHOD"],
        "path": environ["PATH_INFO"],
        "query": environ["QUERY_STRING"],
        "body": environ["wsgi.input"].read().decode("latin-1"),
    }
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(said).encode()]


if __name__ == "__main__":
    public = Path(sys.argv[2])
    Gunicorn(Front({"/media/": Media(public)}, echo), sys.argv[1], Lamp(public / "web.lock")).run()
