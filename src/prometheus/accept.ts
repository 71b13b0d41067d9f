const OPEN_METRICS = "application/openmetrics-text";
const TEXT = "text/plain";

/** Whether a client would rather have OpenMetrics 1.0.0 than Prometheus' own text, by its Accept header. */
export function wantsOpenMetrics(accept: string): boolean {
  const ranges = accept.toLowerCase().split(",").map(parse);
  const weight = (type: string) => Math.max(0, ...ranges.filter((r) => r.type === type).map((r) => r.weight));
  return weight(OPEN_METRICS) > 0 && weight(OPEN_METRICS) >= weight(TEXT);
}

/** A version that we do not speak weighs nothing. */
function parse(range: string): { type: string; weight: number } {
  const [type = "", ...parameters] = range.split(";").map((part) => part.trim());
  const value = (name: string) =>
    parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1);
  const version = value("version");
  if (type === OPEN_METRICS && version !== undefined && version !== "1.0.0") return { type, weight: 0 };
  const weight = Number(value("q") ?? 1);
  return { type, weight: weight >= 0 && weight <= 1 ? weight : 0 };
}
