/** What is known of one thing of the host. The names and fields are what scripts rely on. */
export interface Finding {
  readonly name: string;
  /** `warn`: works, but not as well as it could; or its lack matters only to some. */
  readonly state: "ok" | "warn" | "missing";
  readonly found: string;
  /** What to change; there whenever the state is not ok. */
  readonly advice?: string;
}

export const ok = (name: string, found: string): Finding => ({ name, state: "ok", found });
export const warn = (name: string, found: string, advice: string): Finding => ({
  ...{ name, state: "warn", found, advice },
});
export const missing = (name: string, found: string, advice: string): Finding => ({
  ...{ name, state: "missing", found, advice },
});
