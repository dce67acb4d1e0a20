"""Waiting for the network in a way that Ctrl-C ends: in another thread, whose connection is cut."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

from setup_llm_dev.host.cancel import Cancel
from setup_llm_dev.host.web.sockets import Wire, using

T = TypeVar("T")
_LOOK_SECONDS = 0.1


def cut_by(cancel: Cancel, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises; Interrupted once the token is set, wherever `ask` is by then.

    A connection that waits is ended, so that its thread ends too. A name server that does not answer can't be
    interrupted: that thread is left behind, and nobody waits for it.
    """
    cancel.raise_if_set()
    wire, told = Wire(), Future[T]()
    threading.Thread(target=_answer, args=(ask, wire, told), name="ask", daemon=True).start()
    while not told.done() and not cancel.is_set():
        wait((told,), _LOOK_SECONDS)
    if cancel.is_set():
        wire.cut()
        cancel.raise_if_set()
    return told.result()


def _answer(ask: Callable[[], T], wire: Wire, told: "Future[T]") -> None:
    try:
        with using(wire):
            told.set_result(ask())
    except BaseException as error:  # raised again where somebody waits for it
        told.set_exception(error)
