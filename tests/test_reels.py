"""The address of a run's course holds for as long as anybody has such a run."""

import asyncio
import gc
from copy import deepcopy
from types import SimpleNamespace

from resviz.ui.reels import reel_address, send
from resviz.ui.session import opener


def status(address: str) -> int:
    request = SimpleNamespace(path_params={"name": address.rpartition("/")[2]})
    return asyncio.run(send(request)).status_code


def test_an_equal_run_that_is_let_go_takes_no_address_along():
    first, second = deepcopy(opener()), deepcopy(opener())
    address = reel_address(first)
    assert reel_address(second) == address
    del second
    gc.collect()
    assert status(address) == 200
    assert status(address[:-1] + "x") == 404
