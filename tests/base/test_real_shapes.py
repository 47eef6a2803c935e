"""Files and values as people have them: each is taken rightly, or refused in words."""

import io
import json
from typing import Any

import pytest
from PIL import Image

from controller.base.errors import Refused
from controller.base.tables import parse
from controller.configs.engine.render import InvalidConfig, render
from controller.vpn.engine import openvpn, wireguard
from controller.vpn.engine.contract import Invalid
from geo.engine import images
from geo.rules import geometry
from pki.engine import keys
from pki.engine.errors import Rejected
from pki.engine.importing import read_certificates
from tests import factories
from tests.pki.oracle import authority, pem

NAMED = "name,notes\n"
# Each table, and its rows as they must be taken; None is a refusal.
TABLES: dict[str, tuple[bytes, list[list[Any]] | None]] = {
    "plain": (b"name,notes\na,b\n", [["a", "b"]]),
    "no newline at the end": (b"name,notes\na,b", [["a", "b"]]),
    "lines of a Mac of 1999": (b"name,notes\ra,b\r", [["a", "b"]]),
    "lines of Windows": (b"name,notes\r\na,b\r\n", [["a", "b"]]),
    "a byte order mark": (b"\xef\xbb\xbfname,notes\na,b\n", [["a", "b"]]),
    "a mark, semicolons and quotes": (
        b'\xef\xbb\xbf"name";"notes"\r\n"a";"b;c"\r\n', [["a", "b;c"]],
    ),
    "tabs of a copied sheet": (b"name\tnotes\na\tb, c\n", [["a", "b, c"]]),
    "a quoted line break": (b'name,notes\na,"b\nc"\n', [["a", "b\nc"]]),
    "a doubled quote": (b'name,notes\na,"the ""old"" one"\n', [["a", 'the "old" one']]),
    "an inch": (b'name,notes\na,19" rack\n', [["a", '19" rack']]),
    "umlauts": ("name,notes\nä,Straße\n".encode(), [["ä", "Straße"]]),
    "an emoji": ("name,notes\na,🐈\n".encode(), [["a", "🐈"]]),
    "umlauts of Windows": ("name,notes\nä,b\n".encode("cp1252"), None),
    "Unicode text of Excel": ("name\tnotes\na\tb\n".encode("utf-16"), None),
    "blank lines between": (b"name,notes\n\na,b\n\n\nc,d\n", [["a", "b"], ["c", "d"]]),
    "a line of bare commas": (b"name,notes\na,b\n,,\n", None),
    "headers in capitals": (b"NAME,Notes\na,b\n", [["a", "b"]]),
    "headers with blanks": (b" name , notes \na,b\n", [["a", "b"]]),
    "a leading zero": (b"name,notes\n007,0049\n", [["007", "0049"]]),
    "a telephone number": (b"name,notes\na,'+43 1 5555\n", [["a", "+43 1 5555"]]),
    "a signal": (b"name,notes\na,-67\n", [["a", "-67"]]),
    "nothing": (b"", None),
    "blanks alone": (b" \n\n", None),
    "headers alone": (b"name,notes\n", None),
    "a PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", None),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), None),
    "an archive that is no workbook": (b"PK\x03\x04" + bytes(60), None),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables(name: str) -> None:
    data, rows = TABLES[name]
    if rows is None:
        with pytest.raises(Refused):
            parse(data)
        return
    found = parse(data)
    assert found.headers == ["name", "notes"]
    assert [list(row) for row in found] == rows


RING = [[0, 0], [0, 1], [1, 1], [1, 0], [0, 0]]
# Each shape, and its type and number of points; None is a refusal.
SHAPES: dict[str, tuple[Any, tuple[str, int] | None]] = {
    "a point": ({"type": "Point", "coordinates": [5.32, 60.39]}, ("Point", 1)),
    "a point of a phone, with its height": (
        {"type": "Point", "coordinates": [5.32, 60.39, 12.0]}, ("Point", 1),
    ),
    "as text": ('{"type": "Point", "coordinates": [5, 60]}', ("Point", 1)),
    "as WKT": ("POINT (5.32 60.39)", ("Point", 1)),
    "as EWKT": ("SRID=4326;POINT (5.32 60.39)", ("Point", 1)),
    "EWKT of another system": ("SRID=3857;POINT (1 1)", None),
    "a line": ({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, ("LineString", 2)),
    "a line of one point": ({"type": "LineString", "coordinates": [[0, 0]]}, None),
    "an area": ({"type": "Polygon", "coordinates": [RING]}, ("Polygon", 5)),
    "an area that is not closed": ({"type": "Polygon", "coordinates": [RING[:4]]}, None),
    "a bow tie": (
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}, None,
    ),
    "across the antimeridian": (
        {"type": "Polygon", "coordinates": [[[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]]},
        None,
    ),
    "swapped": ({"type": "Point", "coordinates": [60.39, 105.32]}, None),
    "too far east": ({"type": "Point", "coordinates": [190, 1]}, None),
    "texts for numbers": ({"type": "Point", "coordinates": ["5.3", "60"]}, None),
    "a decimal comma": ("POINT (5,3 60,4)", None),
    "no numbers": ({"type": "Point", "coordinates": []}, None),
    "nothing but a type": ({"type": "Point"}, None),
    "an unknown type": ({"type": "Circle", "coordinates": [1, 1]}, None),
    "a web map's object": ({"lat": 60.4, "lng": 5.3}, None),
    "a list": ([5.3, 60.4], None),
    "true": ({"type": "Point", "coordinates": [True, False]}, None),
    "infinite": ("POINT (1e999 0)", None),
    "empty": ("POINT EMPTY", None),
    "several places": (
        {"type": "MultiPoint", "coordinates": [[0, 0], [1, 1]]}, ("MultiPoint", 2),
    ),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str) -> None:
    given, wanted = SHAPES[name]
    if wanted is None:
        with pytest.raises(Refused):
            geometry.read(given)
        return
    found = geometry.read(given)
    assert found is not None
    assert (found.geom_type, found.num_coords, found.hasz) == (*wanted, False)


def picture(mode: str, kind: str, size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind, **options)
    return out.getvalue()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("RGB", "JPEG", exif=exif)


# Each image, and how it is kept; None is a refusal.
IMAGES: dict[str, tuple[bytes, tuple[str, int, int] | None]] = {
    "a drawing": (picture("RGB", "PNG"), ("png", 40, 30)),
    "one of 8 bits": (picture("L", "PNG"), ("png", 40, 30)),
    "black and white": (picture("1", "PNG"), ("png", 40, 30)),
    "a palette": (picture("P", "PNG"), ("png", 40, 30)),
    "with transparency": (picture("RGBA", "PNG"), ("png", 40, 30)),
    "grey with transparency": (picture("LA", "PNG"), ("png", 40, 30)),
    "a photo": (picture("RGB", "JPEG"), ("jpeg", 40, 30)),
    "a photo taken upright": (turned(), ("jpeg", 30, 40)),
    "a photo for print": (picture("CMYK", "JPEG"), ("jpeg", 40, 30)),
    "one of the web": (picture("RGB", "WEBP"), ("webp", 40, 30)),
    "an old animation": (picture("P", "GIF"), None),
    "a scan": (picture("1", "TIFF"), None),
    "an icon": (picture("RGBA", "ICO", (16, 16)), None),
    "a drawing of lines": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", None),
    "half of a drawing": (picture("RGB", "PNG", (400, 300))[:200], None),
    "something behind it": (picture("RGB", "PNG") + b"<script>", ("png", 40, 30)),
    "nothing": (b"", None),
}  # fmt: skip


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str) -> None:
    data, wanted = IMAGES[name]
    if wanted is None:
        with pytest.raises(images.NotAPicture):
            images.cleaned(data, max_pixels=10**6)
        return
    found = images.cleaned(data, max_pixels=10**6)
    assert (found.kind, found.width, found.height) == wanted
    assert b"<script>" not in found.data


CA = pem(*authority().chain())
BODY = CA.splitlines()
# Each text around a certificate, and how many certificates it is taken for; None is a refusal.
TEXTS: dict[str, tuple[str, int | None]] = {
    "as it is": (CA, 1),
    "lines of Windows": (CA.replace("\n", "\r\n"), 1),
    "blanks around": (f"\n\n  \n{CA}\n\n", 1),
    "no newline at the end": (CA.rstrip(), 1),
    "a remark above": (f"# from the old firewall\n{CA}", 1),
    "a remark with umlauts": (f"# für die Zentrale\n{CA}", 1),
    "a byte order mark": (f"\ufeff{CA}", 1),
    "what openssl x509 -text shows": (f"Certificate:\n    Data:\n        Version: 3\n{CA}", 1),
    "two, as a chain": (CA + CA, 2),
    "lines of another length": (
        "\n".join([BODY[0], "".join(BODY[1:-1]), BODY[-1], ""]), 1,
    ),
    "indented, as in YAML": ("\n".join(f"    {line}" for line in BODY), 1),
    "with the older name": (CA.replace("CERTIFICATE", "X509 CERTIFICATE"), 1),
    "a request": (CA.replace("CERTIFICATE", "CERTIFICATE REQUEST"), None),
    "cut short": ("\n".join(BODY[:-2]), None),
    "one letter lost": (CA.replace(BODY[3], BODY[3][1:]), None),
    "quoted mail": ("\n".join(f"> {line}" for line in BODY), None),
    "nothing": ("", None),
    "a file's name": ("/etc/ssl/ca.pem", None),
    "as JSON has it": (json.dumps(CA), None),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_certificates(name: str) -> None:
    text, count = TEXTS[name]
    if count is None:
        with pytest.raises(Rejected):
            read_certificates(text)
        return
    assert len(read_certificates(text)) == count


KEY = keys.to_pem(keys.generate("256"))
KEYS: dict[str, tuple[str, bool]] = {
    "as it is": (KEY, True),
    "lines of Windows": (KEY.replace("\n", "\r\n"), True),
    "behind its parameters": (
        f"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{KEY}", True,
    ),
    "a certificate": (CA, False),
    "a public key": (KEY.replace("PRIVATE", "PUBLIC"), False),
    "of OpenSSH": (
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n", False,
    ),
    "cut short": (KEY[:120], False),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_private_keys(name: str) -> None:
    text, is_taken = KEYS[name]
    if is_taken:
        assert keys.to_pem(keys.load(text)) == KEY
        return
    with pytest.raises(Rejected):
        keys.load(text)


SERVER = factories.OPENVPN["openvpn"][0]
VPNS: dict[str, tuple[Any, dict[str, Any], bool]] = {
    "a usual server": (openvpn, {"openvpn": [SERVER]}, True),
    "over TCP": (openvpn, {"openvpn": [{**SERVER, "proto": "tcp-server"}]}, True),
    "a bridge": (openvpn, {"openvpn": [{**SERVER, "dev_type": "tap", "dev": "tap0"}]}, True),
    "a port as text": (openvpn, {"openvpn": [{**SERVER, "port": "1194"}]}, False),
    "a port too high": (openvpn, {"openvpn": [{**SERVER, "port": 70000}]}, False),
    "an unknown mode": (openvpn, {"openvpn": [{**SERVER, "mode": "p3p"}]}, False),
    "no server": (openvpn, {}, False),
    "an empty list": (openvpn, {"openvpn": []}, False),
    "two servers": (openvpn, {"openvpn": [SERVER, {**SERVER, "name": "tun1"}]}, False),
    "an object for a list": (openvpn, {"openvpn": SERVER}, False),
    "a line break in a value": (
        openvpn,
        {"openvpn": [{**SERVER, "dev": "tun0\nup /x"}]},
        False,
    ),
    "a usual interface": (wireguard, {"wireguard": [{"name": "wg0", "port": 51820}]}, True),
    "a port of zero": (wireguard, {"wireguard": [{"name": "wg0", "port": -1}]}, False),
    "a name too long": (wireguard, {"wireguard": [{"name": "w" * 16, "port": 51820}]}, False),
    "a name with a slash": (
        wireguard,
        {"wireguard": [{"name": "../wg", "port": 51820}]},
        False,
    ),
    "no port": (wireguard, {"wireguard": [{"name": "wg0"}]}, False),
    "wg-quick's own words": (wireguard, {"Interface": {"ListenPort": 51820}}, False),
}


@pytest.mark.parametrize("name", VPNS)
def test_servers(name: str) -> None:
    engine, config, is_taken = VPNS[name]
    if is_taken:
        engine.check(config)
        return
    with pytest.raises(Invalid):
        engine.check(config)


LAN = {"type": "ethernet", "name": "eth0"}
RADIO = {
    "name": "radio0", "phy": "phy0", "driver": "mac80211", "protocol": "802.11n", "channel": 6,
    "channel_width": 20,
}  # fmt: skip
WPA = {"protocol": "wpa2_personal", "key": "a secret of Wi-Fi"}


def wifi(**more: Any) -> dict[str, Any]:
    wireless = {"radio": "radio0", "mode": "access_point", "ssid": "Café"} | more
    return {"interfaces": [{"type": "wireless", "name": "wlan0", "wireless": wireless}]}


def lan(*addresses: Any, **more: Any) -> dict[str, Any]:
    return {"interfaces": [LAN | {"addresses": list(addresses)} | more]}


V4 = {"proto": "static", "family": "ipv4", "address": "192.168.1.1", "mask": 24}
# Each configuration, and a line of UCI that it must hold; None is a refusal.
CONFIGS: dict[str, tuple[dict[str, Any], str | None]] = {
    "a host name": ({"general": {"hostname": "ap-1"}}, "option hostname 'ap-1'"),
    "an address": (lan(V4), "option ipaddr '192.168.1.1'"),
    "an address of IPv6": (
        lan({"proto": "static", "family": "ipv6", "address": "fd00::1", "mask": 64}),
        "option ip6addr 'fd00::1/64'",
    ),
    "DHCP": (lan({"proto": "dhcp", "family": "ipv4"}), "option proto 'dhcp'"),
    "a bridge": (
        {"interfaces": [{"type": "bridge", "name": "br-lan", "bridge_members": ["eth0", "eth1"]}]},
        "list ports 'eth1'",
    ),
    "a radio": ({"radios": [RADIO]}, "option channel '6'"),
    "an open SSID with an accent": (wifi(), "option ssid 'Café'"),
    "WPA2 with blanks in its key": (wifi(encryption=WPA), "option key 'a secret of Wi-Fi'"),
    "a hidden SSID": (wifi(hidden=True), "option hidden '1'"),
    "a route": (
        {"routes": [{"device": "lan", "destination": "10.0.0.0/8", "next": "192.168.1.2", "cost": 1}]},
        "option gateway '192.168.1.2'",
    ),
    "time servers": ({"ntp": {"enabled": True, "server": ["ntp.example.org"]}}, "list server 'ntp.example.org'"),
    "a file": ({"files": [{"path": "/etc/motd", "mode": "0644", "contents": "hi"}]}, ""),
    "a package of its own": (
        {"mine": [{"config_name": "a", "config_value": "b", "x": [1, 2]}]}, "list x '2'",
    ),
    "a mask of text": (lan(V4 | {"mask": "24"}), None),
    "an address without mask": (lan({"proto": "static", "family": "ipv4", "address": "10.0.0.1"}), None),
    "an interface without a name": ({"interfaces": [{"type": "ethernet"}]}, None),
    "a channel of text": ({"radios": [RADIO | {"channel": "six"}]}, None),
    "a key too short": (wifi(encryption=WPA | {"key": "short"}), None),
    "interfaces as an object": ({"interfaces": LAN}, None),
    "a quote in an SSID": (wifi(ssid="Joe's"), None),
    "a file with a blank in its path": (
        {"files": [{"path": "/etc/my file", "mode": "0644", "contents": ""}]}, None,
    ),
    "a file with a wrong mode": ({"files": [{"path": "/a", "mode": "rw", "contents": ""}]}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_netjson(name: str) -> None:
    config, line = CONFIGS[name]
    if line is None:
        with pytest.raises(InvalidConfig):
            render("netjsonconfig.OpenWrt", [], config, {})
        return
    files = render("netjsonconfig.OpenWrt", [], config, {}).files
    assert line in "".join(file.contents.decode() for file in files)


def test_there_are_more_than_a_hundred() -> None:
    assert sum(map(len, (TABLES, SHAPES, IMAGES, TEXTS, KEYS, VPNS, CONFIGS))) > 120
