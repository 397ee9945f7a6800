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
    [
      "mail jane.doe&#64;example.com; jane.doe&#x40;example.org, jane&commat;example.net",
      "jane.doe&#64;example.com",
      "jane.doe&#x40;example.org",
      "jane&commat;example.net",
    ],
    [
      "?next=%2Fu%3Fmail%3Djane.doe%2540example.com and jane.doe\\u0040example.com",
      "jane.doe%2540example.com",
      "jane.doe\\u0040example.com",
    ],
    [
      "jane.doe [at] example [dot] com or jane.doe(at)mail(dot)example.org; look [at] example.com",
      "jane.doe [at] example [dot] com",
      "jane.doe(at)mail(dot)example.org",
    ],
    [
      "JANE.DOE [AT] EXAMPLE.COM, bob@example[.]com (dot matrix), ann@example.com (",
      "JANE.DOE [AT] EXAMPLE.COM",
      "bob@example[.]com",
      "ann@example.com",
    ],
    ["rows[at] = list (at) home. x (at) 5.5 and f(at)b"],
    ["ivan@пример.рф, иван@пример.рф; Почта:иван@mail.example", "ivan@пример.рф", "иван@пример.рф", "иван@mail.example"],
    [
      "jane@例え.テスト、发给ann@example.com谢谢。bob@example.cn.谢谢 谢谢@张三 你好",
      "jane@例え.テスト",
      "ann@example.com",
      "bob@example.cn",
    ],
    ["ja\u200bne@exam\u00adple.com and jose\u0301@example.com", "ja\u200bne@exam\u00adple.com", "jose\u0301@example.com"],
    [`${"a".repeat(70)}@example.com`, `${"a".repeat(64)}@example.com`],
  ],
});
