import { detectorSuite } from "../../test/support/detectors.ts";
import { email } from "./email.ts";

detectorSuite(email, {
  samples: [
    ["Write to ann.smith+news@mail.example.co.uk, please.", "ann.smith+news@mail.example.co.uk"],
    ["<BOB@EXAMPLE.COM>;(x_y@example.org)", "BOB@EXAMPLE.COM", "x_y@example.org"],
    ["mailto:ann@example.com?subject=hi", "mailto:ann@example.com".slice(7)],
    ["我的邮箱是zhang.wei@example.cn，请回复", "zhang.wei@example.cn"],
    ["ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ"],
    ["jörg@müller.example and ann@xn--mller-kva.example", "jörg@müller.example", "ann@xn--mller-kva.example"],
    ["It ends with ann@example.com.", "ann@example.com"],
    ["ann@example.com ann@example.org", "ann@example.com", "ann@example.org"],
    ['{"email":"ann@example.com","n":1}', "ann@example.com"],
    ["@handle and ann@localhost and a @ b.com and x@y.1 and @media (max-width: 3px)"],
    ["npm i @types/node@26.6.6 and git@ and user@"],
    ["foo@@example.com"],
    ['he wrote {"m":"Hello\\nann@example.com\\tbob@example.org"}', "ann@example.com", "bob@example.org"],
    ["email=ann@example.com", "ann@example.com"],
    ["https://x.example/reset?to=ann@example.com&cc=bob@example.org", "ann@example.com", "bob@example.org"],
    ["users/ann@example.com|bob@example.org|", "ann@example.com", "bob@example.org"],
    [
      "https://x.example/u/ann.smith%40example.com/edit?mail%3Dbob%2Bnews%40example.org",
      "ann.smith%40example.com",
      "bob%2Bnews%40example.org",
    ],
    ["by %22ann%40example.com%22 or %40media or 100%40x", "ann%40example.com"],
    ["bounce+ann=example.com@lists.example.org", "bounce+ann=example.com@lists.example.org"],
    ["o'brien@example.com and ${name}@example.com", "o'brien@example.com"],
    ["logo@2x.png, icon@3x.jpg, react@18.3.1-canary.abc, zod@4.1.0.beta"],
    [`${"a".repeat(70)}@example.com`, `${"a".repeat(64)}@example.com`],
  ],
});
