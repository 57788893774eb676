"""Bodies that no client library would send, by protocol."""

import json

JSON = b"application/x-amz-json-1.1"
FORM = b"application/x-www-form-urlencoded"

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
BILLION_LAUGHS = (
    f'<!DOCTYPE l [<!ENTITY l0 "ha">{LAUGHS}]><Tagging><TagSet><Tag><Key>&l9;</Key></Tag></TagSet></Tagging>'.encode()
)

JSON_BODIES = {
    "nothing": b"",
    "white space": b" \r\n\t",
    "not an object": b"[]",
    "null": b"null",
    "text": b'"x"',
    "open": b'{"ModelPackageGroupName": "x"',
    "trailing comma": b'{"ModelPackageGroupName": "x",}',
    "two documents": b'{"ModelPackageGroupName": "x"}{}',
    "comment": b'{/* */"ModelPackageGroupName": "x"}',
    "single quotes": b"{'ModelPackageGroupName': 'x'}",
    "NaN": b'{"ModelPackageGroupName": NaN}',
    "infinity": b'{"MaxResults": Infinity}',
    "a number beyond all": b'{"MaxResults": 1e99999}',
    "a long number": b'{"MaxResults": ' + b"9" * 5000 + b"}",
    "byte order mark": b'\xef\xbb\xbf{"ModelPackageGroupName": "x"}',
    "UTF-16": '{"ModelPackageGroupName": "x"}'.encode("utf-16"),
    "not UTF-8": b'{"ModelPackageGroupName": "\xff\xfe"}',
    "overlong UTF-8": b'{"ModelPackageGroupName": "\xc0\x80"}',
    "half a surrogate pair": b'{"ModelPackageGroupName": "\\ud800"}',
    "NUL": b'{"ModelPackageGroupName": "a\\u0000b"}',
    "a raw NUL": b'{"ModelPackageGroupName": "a\x00b"}',
    "control characters": b'{"ModelPackageGroupName": "\x01\n"}',
    "deep lists": b"[" * 100_000,
    "deep lists, closed": b'{"Tags": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep and known": b'{"SearchExpression":' + b'{"SubExpressions":[' * 300 + b"{}" + b"]}" * 300 + b"}",
    "many keys": json.dumps({f"k{n}": n for n in range(50_000)}).encode(),
    "duplicate keys": b'{"ModelPackageGroupName": "x", "ModelPackageGroupName": {}}',
    "an empty key": b'{"": 1, "__proto__": {}, "__class__": {}, "constructor": 1}',
    "a form": b"Action=DescribeModelPackageGroup&ModelPackageGroupName=x",
    "XML": BILLION_LAUGHS,
    "gzip": b"\x1f\x8b\x08\x00\x00",
}
TARGETS = ["DescribeModelPackageGroup", "CreateModelPackage", "Search", "ListModelPackages", "AddTags"]

XML_BODIES = {
    "nothing": b"",
    "white space": b"   ",
    "no XML": b"hello",
    "JSON": b'{"Tagging": {}}',
    "open": b"<Tagging><TagSet>",
    "closed wrongly": b"<Tagging></TagSet>",
    "two roots": b"<Tagging/><Tagging/>",
    "another root": b"<Delete><Object><Key>a</Key></Object></Delete>",
    "an unknown root": b"<Cake/>",
    "billion laughs": BILLION_LAUGHS,
    "an external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Tagging>&e;</Tagging>',
    "an external DTD": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><Tagging/>',
    "a parameter entity": b'<!DOCTYPE x [<!ENTITY % e SYSTEM "file:///etc/passwd"> %e;]><Tagging/>',
    "deep": b"<a>" * 100_000,
    "deep, closed": b"<a>" * 20_000 + b"</a>" * 20_000,
    "many attributes": b"<Tagging " + b" ".join(b'a%d="1"' % n for n in range(20_000)) + b"/>",
    "an attribute twice": b'<Tagging a="1" a="2"/>',
    "not UTF-8": b"<Tagging>\xff\xfe</Tagging>",
    "another encoding": b'<?xml version="1.0" encoding="UTF-7"?><Tagging/>',
    "an unknown encoding": b'<?xml version="1.0" encoding="klingon"?><Tagging/>',
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?><Tagging><TagSet/></Tagging>'.encode("utf-16"),
    "a NUL": b"<Tagging>\x00</Tagging>",
    "a reference to NUL": b"<Tagging><TagSet><Tag><Key>&#0;</Key></Tag></TagSet></Tagging>",
    "a processing instruction": b"<?php echo 1 ?><Tagging/>",
    "CDATA": b"<Tagging><TagSet><Tag><Key><![CDATA[<]]></Key><Value/></Tag></TagSet></Tagging>",
    "elements twice": b"<Tagging><TagSet/><TagSet/></Tagging>",
    "text where elements belong": b"<Tagging>text<TagSet>text</TagSet></Tagging>",
    "an unknown namespace": b'<x:Tagging xmlns:x="urn:x"><x:TagSet/></x:Tagging>',
    "an undeclared namespace": b"<x:Tagging/>",
    "numbers that are none": b"<CompleteMultipartUpload><Part><PartNumber>1e9</PartNumber></Part></CompleteMultipartUpload>",
    "a huge number": b"<CompleteMultipartUpload><Part><PartNumber>"
    + b"9" * 5000
    + b"</PartNumber></Part></CompleteMultipartUpload>",
}
XML_TARGETS = [
    ("PUT", "/fuzz-bucket/object", "tagging="),
    ("PUT", "/fuzz-bucket", "tagging="),
    ("PUT", "/fuzz-bucket", "versioning="),
    ("PUT", "/fuzz-bucket", "encryption="),
    ("PUT", "/fuzz-bucket", "object-lock="),
    ("PUT", "/fuzz-bucket", "policy="),
    ("PUT", "/fuzz-bucket/object", "retention="),
    ("PUT", "/fuzz-bucket/object", "legal-hold="),
    ("POST", "/fuzz-bucket", "delete="),
    ("POST", "/fuzz-bucket/object", "uploadId=none"),
    ("PUT", "/fuzz-new-bucket", ""),
]
FORM_BODIES = {
    "nothing": b"",
    "no action": b"Version=2010-05-08",
    "an unknown action": b"Action=BakeCake&Version=2010-05-08",
    "an action twice": b"Action=GetUser&Action=ListUsers&Version=2010-05-08",
    "broken escapes": b"Action=GetUser&UserName=%zz%&Version=2010-05-08",
    "not UTF-8": b"Action=GetUser&UserName=%ff%fe&Version=2010-05-08",
    "NUL": b"Action=GetUser&UserName=%00&Version=2010-05-08",
    "a list with a hole": b"Action=TagUser&UserName=fuzz-user&Tags.member.1000000000.Key=a&Tags.member.1000000000.Value=b",
    "a list with wrong numbers": b"Action=TagUser&UserName=fuzz-user&Tags.member.-1.Key=a&Tags.member.x.Key=&Tags.member.1e.Key=",
    "a list that is a text": b"Action=TagUser&UserName=fuzz-user&Tags=a",
    "a text that is a list": b"Action=GetUser&UserName.member.1=fuzz-user",
    "a deep name": b"Action=TagUser&" + b".".join([b"a"] * 20_000) + b"=1",
    "many parameters": b"Action=GetUser&" + b"&".join(b"a%d=1" % n for n in range(50_000)),
    "a long number in a name": b"Action=TagUser&Tags.member." + b"9" * 5000 + b".Key=a",
    "JSON": b'{"Action": "GetUser"}',
}
