"""What pandas and pyarrow do through s3fs: write in blocks, seek, read, list, copy, remove."""

import secrets
import sys

import s3fs

bucket = sys.argv[1]
files = s3fs.S3FileSystem(use_listings_cache=False)
data = secrets.token_bytes(11 << 20)
with files.open(f"{bucket}/dir/large", "wb", block_size=5 << 20) as out:
    out.write(data)
with files.open(f"{bucket}/dir/large", "rb") as source:
    source.seek(6 << 20)
    assert source.read(100) == data[6 << 20 :][:100]
assert files.cat(f"{bucket}/dir/large") == data
assert files.ls(f"{bucket}/dir") == [f"{bucket}/dir/large"]
assert files.info(f"{bucket}/dir/large")["size"] == len(data)
files.copy(f"{bucket}/dir/large", f"{bucket}/copy")
assert files.exists(f"{bucket}/copy")
assert sorted(files.find(bucket)) == [f"{bucket}/copy", f"{bucket}/dir/large"]
files.rm(f"{bucket}/dir", recursive=True)
assert not files.exists(f"{bucket}/dir/large")
print("all as written")
