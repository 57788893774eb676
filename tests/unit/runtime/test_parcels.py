"""Folders as they are brought to nodes."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from modelyard.runtime.archive import BadArchive
from modelyard.runtime.cluster import parcels
from modelyard.runtime.cluster.parcels import Parcels
from modelyard.runtime.workload import MEBIBYTE

pytestmark = pytest.mark.ours


def test_parcels_are_the_same_for_the_same_and_stay_in_their_folder(tmp_path: Path):
    """A parcel says nothing of where and when it was made; what leads out of its folder is not unpacked."""
    for name in ("one", "two"):
        (tmp_path / name / "a").mkdir(parents=True)
        for file in ("a/z", "a/b", "c"):
            (tmp_path / name / file).write_text(file)
            os.utime(tmp_path / name / file, (1_600_000_000, 1_600_000_000))
    digest = Parcels().of(tmp_path / "one").digest
    assert Parcels().of(tmp_path / "two").digest == digest
    (tmp_path / "two" / "c").write_text("d")
    assert Parcels().of(tmp_path / "two").digest != digest
    outside = tarfile.TarInfo("content/link/../../../out")
    device, link, behind = tarfile.TarInfo("content/null"), tarfile.TarInfo("content"), tarfile.TarInfo("content/behind")
    device.type, link.type, link.linkname, behind.size = tarfile.CHRTYPE, tarfile.SYMTYPE, str(tmp_path / "two"), 1
    for number, members in enumerate(([outside], [device], [link, behind])):
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as archive:
            for member in members:
                archive.addfile(member, io.BytesIO(b"x"))
        content.seek(0)
        (tmp_path / str(number)).mkdir()
        with pytest.raises(BadArchive):
            parcels.unpack(content, tmp_path / str(number), MEBIBYTE)
    assert not (tmp_path / "two" / "behind").exists()
    with pytest.raises(BadArchive, match="more bytes"):
        parcels.unpack(io.BytesIO(b"".join(parcels.pieces(tmp_path / "one"))), tmp_path, 2)
