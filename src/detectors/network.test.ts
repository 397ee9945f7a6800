import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import fc from "fast-check";
import { detectorSuite, findIn } from "../../test/support/detectors.ts";
import { property } from "../../test/support/property.ts";
import { cryptoAddress } from "./crypto-address.ts";
import { ipAddress } from "./ip-address.ts";
import { macAddress } from "./mac-address.ts";
import { url } from "./url.ts";
import { urlWithCredentials } from "./url-with-credentials.ts";

detectorSuite(ipAddress, {
  samples: [
    ["from 41.173.96.26 to 10.0.0.1:8080, 192.168.0.0/16.", "41.173.96.26", "10.0.0.1", "192.168.0.0"],
    ["http://203.0.113.7/path and https://[2001:db8::1]:443/", "203.0.113.7", "2001:db8::1"],
    [
      "fe80::1%eth0, ::1, 2001:0db8:85a3:0000:0000:8a2e:0370:7334, ::ffff:192.0.2.128",
      "fe80::1",
      "::1",
      "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
      "::ffff:192.0.2.128",
    ],
    ["服务器地址是192.168.1.20，请连接", "192.168.1.20"],
    ["１９２．１６８．１．２０", "１９２．１６８．１．２０"],
    ["dns 8.8.8.8", "8.8.8.8"],
    // Behind IPv4 no more of IPv6 can follow: a host with a module, a path or a name.
    [
      "41.173.96.26::, 41.173.96.26::backup 41.173.96.27:data/x 41.173.96.28:/etc",
      "41.173.96.26",
      "41.173.96.26",
      "41.173.96.27",
      "41.173.96.28",
    ],
    ["version 10.0.19.45, v1.22.33.44, Chrome/120.0.0.0, 1.2.3.4, 256.1.1.1, 1.2.3, 1.22.33.44.55, 01.22.33.44, 1.22.33.444"],
    ["std::vector a::b 12:30:45 dead:beef x[::2] Foo::Bar abc::def x[::1] 00:1a:2b:3c:4d:5e"],
  ],
});

const group = fc.oneof(
  fc.constantFrom("0", "1", "db8", "ffff", "2001", "00a0", "12345"),
  fc.nat(0xffff).map((value) => value.toString(16)),
);
const tail = fc.constantFrom("192.0.2.128", "10.0.0.1", "256.1.1.1", "01.2.3.4", "1.2.3");
const mark = fc.constantFrom(":", "::", ":::", ".");
const pieces = fc.array(fc.oneof({ weight: 6, arbitrary: group }, { weight: 7, arbitrary: mark }, { weight: 1, arbitrary: tail }), {
  maxLength: 18,
});
const groups = fc.array(group, { maxLength: 8 }).map((list) => list.join(":"));
/** Groups by colons with one gap at most, and perhaps IPv4; behind all perhaps what makes it none. */
const likely = fc
  .tuple(
    groups,
    fc.constantFrom("::", "::", ":", ""),
    groups,
    fc.oneof(
      tail,
      tail.map((last) => `:${last}`),
      fc.constant(""),
    ),
    fc.oneof(fc.constant(""), mark),
  )
  .map((parts) => parts.join(""));
property(
  "IPv6: what node:net takes for an address, and nothing that it does not",
  fc.oneof(
    pieces.map((list) => list.join("")),
    likely,
  ),
  (written) => {
    const found = findIn(ipAddress, `ip ${written} x`).map(({ start, end }) => `ip ${written} x`.slice(start, end));
    for (const address of found) assert.ok(isIPv6(address) || isIPv4(address), address);
    // A short address with no more than a group on a side of its gap may be a slice or a name.
    const isPlain = written.split("::").every((side) => side.split(":").length > 1) && /[0-9]/.test(written);
    if (isIPv6(written) && isPlain) assert.deepEqual(found, [written]);
  },
  2_000,
);

detectorSuite(macAddress, {
  samples: [
    ["00:1A:2B:3C:4D:5E, 00-1a-2b-3c-4d-5e and 001a.2b3c.4d5e.", "00:1A:2B:3C:4D:5E", "00-1a-2b-3c-4d-5e", "001a.2b3c.4d5e"],
    ["地址aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"],
    ["00:1A:2B:3C:4D 00:1A:2B:3C:4D:5E:6F 12-34-56-78-90-12 00:1A-2B:3C:4D:5E 1234.5678.9012 g0:1A:2B:3C:4D:5E 12:30:45"],
  ],
});

detectorSuite(url, {
  samples: [
    ["See https://example.com/a?b=c#d, and (http://example.org/x_(y)).", "https://example.com/a?b=c#d", "http://example.org/x_(y)"],
    ["www.example.com/path! ftp://files.example.com", "www.example.com/path", "ftp://files.example.com"],
    ["链接https://example.cn/路径，点击", "https://example.cn/"],
    ['<a href="https://example.com/">', "https://example.com/"],
    ["https:// and :// and www. and example.com and a//b and awww.x"],
  ],
});

detectorSuite(urlWithCredentials, {
  samples: [
    ["postgres://app:s3cret@db.internal:5432/app?x=1.", "postgres://app:s3cret@db.internal:5432/app?x=1"],
    ["redis://:pa55@10.0.0.1:6379 (https://u:p@example.com/)", "redis://:pa55@10.0.0.1:6379", "https://u:p@example.com/"],
    ["数据库mysql://root:123456@127.0.0.1/test，连接", "mysql://root:123456@127.0.0.1/test"],
    [
      "https://example.com/u:p@x https://ann@example.com ssh://git@example.com https://u:@h https://u:<password>@h https://u:${PASS}@h https://u:***@h",
    ],
  ],
});

detectorSuite(cryptoAddress, {
  samples: [
    ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"],
    [
      "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy or bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
      "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
      "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    ],
    ["bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"],
    ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
    ["0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"],
    ["钱包0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
    ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5 0x5aaeb6053f3e94c9b9a09f33669435e7ef1beae 0x1234"],
  ],
});
