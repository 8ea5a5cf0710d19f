// How many tokens each JSON value of a list on standard input has, by the tokenizer of o200k_base.
import { encode } from "gpt-tokenizer/encoding/o200k_base";
import { readFileSync } from "node:fs";

const values = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(values.map((value) => encode(JSON.stringify(value)).length)));
