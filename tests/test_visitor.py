"""Who a visitor is: one browser, however its cookie is masked."""

from types import SimpleNamespace

import pytest
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from resviz.ui import visitor


@pytest.fixture
def arrive(monkeypatch):
    """Come with a cookie, or with none."""

    def come(cookie: str | None = None) -> str:
        cookies = {} if cookie is None else {visitor.COOKIE: cookie}
        monkeypatch.setattr(visitor.st, "context", SimpleNamespace(cookies=cookies))
        return visitor.identity()

    return come


def test_a_browser_is_one_visitor_in_all_its_tabs(arrive):
    one, other = bytes(range(16)), bytes(range(1, 17))
    cookies = [generate_xsrf_token_string(one, 0) for _ in range(3)]  # masked anew each time
    assert len(set(cookies)) == 3
    assert len({arrive(cookie) for cookie in (*cookies, f'"{cookies[0]}"')}) == 1
    assert arrive(generate_xsrf_token_string(other, 0)) != arrive(cookies[0])
    assert one.hex() not in arrive(cookies[0])


@pytest.mark.parametrize("cookie", [None, "", "2|", "2|zz|zz|0", "2|||0", "1|00|00|0", "é" * 9])
def test_without_a_cookie_that_says_so_everybody_is_somebody(arrive, cookie):
    assert arrive(cookie) != arrive(cookie)
