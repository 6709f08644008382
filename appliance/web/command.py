"""`songshan web`: the web server of the box, gunicorn within one command."""

import re
from typing import Final

import click

from appliance.command import Box, pass_box
from appliance.core.errors import OperatorError, Text
from appliance.serving import Lamp, lock_of
from appliance.web import nginx
from appliance.web.app import create_app
from appliance.web.server import Gunicorn

NGINX_CACHE: Final = "/var/cache/songshan"

_BIND: Final = re.compile(r"(\[[0-9a-f:]+\]|[A-Za-z0-9.-]+):(\d{1,5})")


@click.command()
@click.option("--bind", metavar="ADDR:PORT", help="where to listen; without it, what the configuration says")
@click.option("--print-nginx", is_flag=True, help="print the nginx site that stands before this server, and end")
@click.option("--nginx-listen", metavar="[ADDR:]PORT", default="80", show_default=True, help="where that site listens")
@click.option("--nginx-cache", metavar="PREFIX", default=NGINX_CACHE, show_default=True, help="its cache folders")
@pass_box
def web(box: Box, bind: str | None, print_nginx: bool, nginx_listen: str, nginx_cache: str) -> None:
    """网站服务：应用页面、接口、媒资与直播。 Serves the app, its API, media and live channels.

    Example: songshan web --bind 127.0.0.1:8080

    Example: songshan web --print-nginx > /etc/nginx/sites-available/songshan
    """
    config = box.config
    address = bind or config.web_bind
    match = _BIND.fullmatch(address)
    if match is None or not 1 <= int(match[2]) <= 65535:
        raise OperatorError(
            Text(f"不是 地址:端口：{address!r}", f"not ADDR:PORT: {address!r}"),
            hint=Text("例：127.0.0.1:8080", "for example 127.0.0.1:8080"),
        )
    if print_nginx:
        click.echo(nginx.site(config.site, config.public, nginx_cache, nginx_listen, address), nl=False)
        return
    Gunicorn(create_app(config).wsgi_app, address, Lamp(lock_of(config))).run()
