"""What every group of the selfcheck uses."""

import numpy as np
from cryosparc.errors import APIError
from cryosparc.tools import CryoSPARC

PASSED = []


def check(name):
    def deco(f):
        def go(*a):
            f(*a)
            PASSED.append(name)
            print("ok  ", name)

        return go

    return deco


def refused(fn, *words, code=422, exc=APIError):
    try:
        fn()
    except exc as e:
        if isinstance(e, APIError):
            assert e.code == code, (e.code, str(e))
            low = str(e).lower()
            assert all(w.lower() in low for w in words), f"{words} not in {e}"
        else:
            assert all(w.lower() in str(e).lower() for w in words), f"{words} not in {e}"
        return e
    raise AssertionError(f"not refused: {words}")


PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
    b"\x00\x00\x00\rIDATx\x9cc\xf8\xcf\xc0\x00\x00\x03\x01\x01\x00\xc9\xfe\x92\xef\x00\x00\x00\x00IEND\xaeB`\x82"
)


def connect(url, **kw):
    return CryoSPARC(
        url,
        host=None,
        base_port=None,
        **{"email": "picker@example.com", "password": "secret", **kw},
    )


def new_job(cs, made, title="Deep picker"):
    p = cs.find_project(made["project_uid"])
    job = p.create_external_job(made["workspace_uid"], title=title, desc="*desc*")
    return p, job


def wired(cs, made, title="Deep picker"):
    p, job = new_job(cs, made, title)
    job.add_input(
        "exposure",
        "micrographs",
        min=1,
        max=1,
        title="Micrographs",
        slots=[
            "micrograph_blob",
            "mscope_params",
            "?ctf",
            {"name": "background_blob", "dtype": "stat_blob", "required": False},
        ],
    )
    job.connect("micrographs", *made["exposures"])
    job.add_output("particle", "particles", slots=["location", "pick_stats"], title="Picks")
    return p, job


def fill(job, picks, n=None):
    n = len(picks) if n is None else n
    out = job.alloc_output("particles", n)
    for f in out.fields():
        if f.startswith("location/"):
            out[f] = picks[f][:n]
    out["pick_stats/ncc_score"] = np.linspace(0.1, 0.9, n, dtype=np.float32)
    out["pick_stats/power"] = np.linspace(100, 900, n, dtype=np.float32)
    return out
