import { expect, it } from "vitest";
import { printable } from "../../../src/cli/printable.ts";
import { table } from "../../../src/cli/table.ts";

it("what a terminal would obey is spelled out, what it shows stays", () => {
  expect(printable("\x1b[31mred\r\u202e\x07")).toBe("\\u001b[31mred\\u000d\\u202e\\u0007");
  expect(printable("重み ✓\nβ")).toBe("重み ✓\nβ");
  expect(table(["weight"], [["a\nb\x1b"]]).split("\n")[2]).toBe("a\\nb\\u001b");
});
