"""What the service and its workers say to each other: MessagePack in frames with their lengths.

Nothing that crosses is ever unpickled: a worker reads hostile files, so what it sends must not be
able to do anything here. A job names a function of ours; its arguments become what the function's
annotations say.
"""

import importlib
from collections.abc import Callable, Mapping
from functools import cache, partial
from inspect import signature
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeAlias, get_type_hints

import msgspec
from pydantic import BaseModel

from api.problems import Problem


class Job(msgspec.Struct, tag="job", frozen=True, kw_only=True):
    """What a worker is asked to do.

    Attributes:
        function: Called for the answer; as ``module:name``.
        args: Its arguments.
        kwargs: Its named arguments.
        talks: Whether it takes a ``Talk`` first, to tell and hear things while it works.
    """

    function: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    talks: bool = False


class Told(msgspec.Struct, tag="told", frozen=True):
    """Something for the job that converses; None is the end."""

    message: bytes | None


class Said(msgspec.Struct, tag="said", frozen=True):
    """Something that a job tells before it answers."""

    value: Any


class Answered(msgspec.Struct, tag="answered", frozen=True):
    """What a job's function returned."""

    value: Any


class Refused(msgspec.Struct, tag="refused", frozen=True):
    """What was wrong with what was sent."""

    problem: Problem


class Fault(msgspec.Struct, tag="fault", frozen=True):
    """A mistake of ours in a job: where it happened, for the log."""

    trace: str


ToWorker: TypeAlias = Job | Told
FromWorker: TypeAlias = Said | Answered | Refused | Fault
_to_worker = msgspec.msgpack.Decoder(ToWorker)
_from_worker = msgspec.msgpack.Decoder(FromWorker)


def job(
    function: Callable[..., object],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    *,
    talks: bool = False,
) -> Job:
    """Return the job of calling a function of a module; a ``partial`` of one is its whole call."""
    while isinstance(function, partial):
        args, kwargs = (*function.args, *args), {**function.keywords, **kwargs}
        function = function.func
    name = f"{function.__module__}:{function.__qualname__}"
    return Job(function=name, args=args, kwargs=dict(kwargs), talks=talks)


def framed(message: ToWorker | FromWorker) -> bytes:
    """Return a message as it crosses."""
    return msgspec.msgpack.encode(message, enc_hook=_plain)


def for_worker(channel: Connection) -> ToWorker:
    """Return the next message to a worker."""
    return _to_worker.decode(channel.recv_bytes())


def from_worker(channel: Connection) -> FromWorker:
    """Return the next message of a worker.

    Raises:
        OSError: If what came is none.
    """
    try:
        return _from_worker.decode(channel.recv_bytes())
    except msgspec.MsgspecError as error:
        raise OSError("a worker sent what is no message") from error


def called(asked: Job, *first: object) -> object:
    """Call the function of a job, ``first`` before its own arguments."""
    module, _, name = asked.function.partition(":")
    function = getattr(importlib.import_module(module), name)
    positional, named = _types(function)
    kinds = positional[len(first) :]
    kinds += [Any] * (len(asked.args) - len(kinds))
    args = [_made(value, kind) for value, kind in zip(asked.args, kinds, strict=False)]
    kwargs = {key: _made(value, named.get(key, Any)) for key, value in asked.kwargs.items()}
    return function(*first, *args, **kwargs)


@cache
def _types(function: Callable[..., object]) -> tuple[list[Any], dict[str, Any]]:
    """Return what a function's arguments are, in order and by name; built-in ones do not say."""
    try:
        hints, names = get_type_hints(function), list(signature(function).parameters)
    except (TypeError, ValueError):
        return [], {}
    return [hints.get(name, Any) for name in names], hints


def _made(value: object, kind: Any) -> object:  # noqa: ANN401  any annotation
    return msgspec.convert(value, kind, dec_hook=_rich)


def _plain(value: object) -> object:
    """Return what stands for a value that MessagePack does not have."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True)
    # msgspec asks its hooks for this exception
    raise NotImplementedError(f"{type(value).__name__} does not cross between processes")


def _rich(kind: type[Any], value: object) -> object:
    """Return the value that something plain stands for."""
    return kind.model_validate(value) if issubclass(kind, BaseModel) else kind(value)
