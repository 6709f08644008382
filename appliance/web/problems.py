"""What is said when something cannot be answered: in both languages to programs, in the reader's own on pages."""

from typing import Final

import msgspec
from werkzeug.exceptions import HTTPException

from appliance.core.errors import Text


class Problem(msgspec.Struct, frozen=True):
    """RFC 9457 `application/problem+json`; `problems` is for people, one text for each thing that is wrong."""

    status: int
    title: str
    problems: list[Text]


MEDIA_TYPE: Final = "application/problem+json"

WORDS: Final = {
    400: Text("请求不对", "The request is not right"),
    401: Text("需要口令", "A token is needed"),
    403: Text("不允许", "Not allowed"),
    404: Text("没有这个页面", "There is no such page"),
    405: Text("不支持这种操作", "That cannot be done here"),
    410: Text("内容已撤下", "This has been withdrawn"),
    411: Text("缺少长度", "The length is missing"),
    413: Text("内容太大", "That is too large"),
    415: Text("格式不对", "That is not the right format"),
    429: Text("提交太频繁，请稍后再试", "That was too often; please wait a little"),
    500: Text("服务器出错", "Something went wrong here"),
    503: Text("暂时不可用，请稍后再试", "Not available just now; please try again soon"),
}


def words_of(status: int) -> Text:
    """The short word for a status."""
    return WORDS.get(status, WORDS[400 if status < 500 else 500])


def problem_of(error: HTTPException) -> Problem:
    """The problem that an HTTP error is; what it says in detail is for programmers, in English."""
    status = error.code or 500
    texts = [words_of(status)]
    if isinstance(error, Wrong):
        texts = list(error.problems)
    return Problem(status, error.name, texts)


def headers_of(error: HTTPException) -> dict[str, str]:
    """What an error says beside its text: what else may be done, or when to come back."""
    return {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After", "WWW-Authenticate")}


class Wrong(HTTPException):
    """A request that cannot be answered, and why; 400 unless said otherwise."""

    code = 400

    def __init__(self, *problems: Text, code: int = 400) -> None:
        super().__init__("; ".join(problem.en for problem in problems))
        self.code = code
        self.problems = problems
