"""Event log and assets."""

from cryosparc.models.asset import GridFSAsset, GridFSFile
from cryosparc.models.event import CheckpointEvent, ImageEvent, TextEvent
from cryosparc.models.job import UiTileImage
from cryosparc.spec import ASSET_CONTENT_TYPES

from .base import Refused, now, oid


class Events:
    """Part of the store."""

    def _event(self, cls, puid, juid, **kw):
        self.job(puid, juid)
        e = cls(_id=oid(), project_uid=puid, job_uid=juid, created_at=now(), updated_at=now(), **kw)
        self.events.setdefault((puid, juid), []).append(e)
        self._dump_events()
        return e

    def add_text(self, puid, juid, text, type):
        job = self.job(puid, juid)
        job.has_warning |= type == "warning"
        job.has_error |= type == "error"
        return self._event(TextEvent, puid, juid, text=text, type=type)

    def update_text(self, puid, juid, eid, text, type):
        for e in self.events.get((puid, juid), []):
            if e.id == eid and isinstance(e, TextEvent):
                e.text = e.text if text is None else text
                e.type = type or e.type
                e.updated_at = now()
                self._dump_events()
                return e
        raise Refused(404, f"Event {eid} not found on {puid}-{juid}")

    def add_image(self, puid, juid, images, text, flags):
        if not images:
            raise Refused(422, "No images given")
        for a in images:
            self.asset(a.fileid)
        return self._event(
            ImageEvent, puid, juid, type="image", text=text, imgfiles=images, flags=flags
        )

    def add_checkpoint(self, puid, juid, meta):
        return self._event(CheckpointEvent, puid, juid, type="checkpoint", meta=meta)

    MAGIC = {
        "png": b"\x89PNG\r\n\x1a\n",
        "pdf": b"%PDF",
        "jpg": b"\xff\xd8",
        "jpeg": b"\xff\xd8",
        "gif": b"GIF8",
    }

    def upload_asset(self, puid, juid, data, filename, format):
        self.job(puid, juid)
        if format is None and filename:
            format = filename.rsplit(".", 1)[-1].lower()
        if format not in ASSET_CONTENT_TYPES:
            raise Refused(422, f"Unknown asset format {format}")
        if not data:
            raise Refused(422, "Asset is empty")
        if format in self.MAGIC and not data.startswith(self.MAGIC[format]):
            raise Refused(422, f"Asset data is not {format}")
        fid = oid()
        a = GridFSFile(
            _id=fid,
            filename=filename or f"{fid}.{format}",
            contentType=ASSET_CONTENT_TYPES[format],
            uploadDate=now(),
            length=len(data),
            chunkSize=2096128,
            project_uid=puid,
            job_uid=juid,
        )
        (self.db / "gridfs" / fid).write_bytes(data)
        (self.db / "gridfs" / f"{fid}.json").write_text(a.model_dump_json(by_alias=True))
        self.assets[fid] = a
        return GridFSAsset(fileid=fid, filename=a.filename, filetype=a.contentType)

    def asset(self, fid):
        if fid not in self.assets:
            raise Refused(404, f"Asset {fid} not found")
        return self.assets[fid]

    def set_output_image(self, puid, juid, oname, asset):
        job = self.job(puid, juid)
        if oname not in job.spec.outputs.root:
            raise Refused(422, f"Job {juid} has no output {oname}")
        self.asset(asset.fileid)
        job.spec.outputs.root[oname].image = asset.fileid
        return self.save_job(job)

    def set_tile_image(self, puid, juid, asset):
        job = self.job(puid, juid)
        self.asset(asset.fileid)
        job.ui_tile_images = [
            UiTileImage(name="tile0", fileid=asset.fileid, num_rows=1, num_cols=1)
        ]
        return self.save_job(job)
