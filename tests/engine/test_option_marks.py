"""Options inside messages: flags by themselves, whatever a host likes when it asks."""

import json
import logging
from multiprocessing import Pipe

import pytest
import torch

from frostpick.errors import (
    ConfigError,
    FrostpickError,
    LabelError,
    MicrographError,
    Wording,
    flag,
    marked,
    option,
    spelled,
    worded,
)
from frostpick.runtime.executors.transport import Ending, LogSender

pytestmark = pytest.mark.quick


def sent(thing):
    """What another process gets."""
    here, there = Pipe()
    there.send(thing)
    return here.recv()


def loud(name, value=""):
    return f"<{name}:{value}>"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("pixel_size", "", "--pixel-size"),
        ("start_model", "", "--start-model"),
        ("bad", "rest", "--bad rest"),
        ("url", "http://HOST:39000", "--url http://HOST:39000"),
        ("labels", "", "--labels"),
    ],
)
def test_a_mark_is_a_flag_unless_somebody_spells_it(name, value, text):
    assert flag(name, value) == text
    message = f"give {option(name, value)} or nothing"
    assert str(ConfigError(message)) == f"give {text} or nothing"
    assert spelled(ConfigError(message), loud) == f"give <{name}:{value}> or nothing"


def test_what_is_no_mark_stays():
    for text in ("a.mrc: 50 % of it", "[diameter]", "\u27e6", "\u27e6A b\u27e7", ""):
        assert spelled(text, loud) == text == str(FrostpickError(text))
    assert str(FrostpickError()) == "" and str(FrostpickError("a", 2)) == "('a', 2)"


def test_an_error_in_an_error_keeps_its_marks():
    inner = MicrographError("a.mrc", f"give {option('pixel_size')}")
    assert str(inner) == "a.mrc: give --pixel-size"
    assert inner.reason == "give --pixel-size"
    assert spelled(MicrographError("b", inner.reason), loud) == "b: give <pixel_size:>"
    for part in (inner, inner.reason):
        assert spelled(FrostpickError(f"the first: {marked(part)}"), loud).endswith("<pixel_size:>")
    assert marked(3) == 3 and marked("text") == "text"


def test_a_wording_is_the_text_for_everybody_else():
    one = Wording(f"give {option('bad', 'rest')}, %d rows")
    assert one == "give --bad rest, %d rows" and f"{one}" == str(one)
    assert json.loads(json.dumps({one: one})) == {str(one): str(one)}
    for other in (sent(one), Wording(one.template)):
        assert other == one and spelled(other, loud) == "give <bad:rest>, %d rows"


@pytest.mark.parametrize(
    ("message", "given", "flags", "loudly"),
    [
        (Wording(f"give {option('device', 'cpu')}"), (), "give --device cpu", "give <device:cpu>"),
        (
            Wording(f"%d %% by {option('start_model')}"),
            (5,),
            "5 % by --start-model",
            "5 % by <start_model:>",
        ),
        ("%s: %s", ("a", Wording(option("start_model"))), "a: --start-model", "a: <start_model:>"),
        ("skipped: %s", (LabelError(option("good")),), "skipped: --labels", "skipped: <good:>"),
        ("%(a)s", ({"a": Wording(option("good"))},), "--labels", "<good:>"),
        ("100 %", (), "100 %", "100 %"),
    ],
)
def test_a_log_line_has_flags_unless_a_handler_spells_it(message, given, flags, loudly, caplog):
    logging.getLogger("frostpick").warning(message, *given)
    (record,) = caplog.records
    assert record.getMessage() == flags == worded(record)
    assert spelled(worded(record), loud) == loudly


def test_marks_come_back_from_another_process():
    for error in (
        ConfigError(f"give {option('diameter')}"),
        MicrographError("a", f"give {option('diameter')}"),
    ):
        ending = sent(Ending.by(error))
        came = ending.error(torch.device("cpu"))
        assert str(came) == str(error) and isinstance(came, FrostpickError)
        assert spelled(came, loud) == spelled(error, loud)
    records = []
    record = logging.makeLogRecord(
        {"name": "frostpick", "msg": "%s says so", "args": (Wording(option("pixel_size")),)}
    )
    LogSender(records.append).emit(record)
    came = sent(records[0])
    assert came.getMessage() == "--pixel-size says so"
    assert spelled(worded(came), loud) == "<pixel_size:> says so"
