import type { z } from "zod";
import { keyPath } from "./keys.ts";
import { problem } from "./text.ts";

/**
 * What a schema makes of a file. Only the first problem is told: later ones often follow from it.
 *
 * @throws OperationalError
 */
export function check<T extends z.ZodType>(schema: T, data: unknown, name: string): z.output<T> {
  const result = schema.safeParse(data, { error: describeIssue });
  if (result.success) return result.data;
  const [{ path, message } = { path: [], message: result.error.message }] = result.error.issues;
  throw problem(name, path.length === 0 ? message : `${keyPath(path)}: ${message}`);
}

/** Says what a value is and what it should be; schemas say the rest. */
function describeIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_type")
    return `is ${kindOf(issue.input)}, want ${withArticle(String(issue.expected))}`;
  if (issue.code === "invalid_value")
    return `is ${show(issue.input)}, want ${issue.values?.map(show).join(" or ")}`;
  return undefined;
}

/** A value for a message: short, one line. Only used where a value is no secret. */
export function show(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
  return typeof value === "number" || typeof value === "boolean" ? String(value) : kindOf(value);
}

function kindOf(value: unknown): string {
  if (value === undefined) return "missing";
  if (value === null) return "null";
  return withArticle(Array.isArray(value) ? "array" : typeof value);
}

const withArticle = (noun: string) => `${/^[aeiou]/.test(noun) ? "an" : "a"} ${noun}`;
