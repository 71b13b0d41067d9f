import type { TableFieldOptions } from "@grafana/grafana-foundation-sdk/common";
import type {
  AnnotationQuery,
  Dashboard,
  FieldConfig,
  FieldConfigSource,
  Panel,
} from "@grafana/grafana-foundation-sdk/dashboard";
import type * as heatmap from "@grafana/grafana-foundation-sdk/heatmap";
import type { Dataquery } from "@grafana/grafana-foundation-sdk/prometheus";
import type * as stat from "@grafana/grafana-foundation-sdk/stat";
import type * as table from "@grafana/grafana-foundation-sdk/table";
import type * as timeseries from "@grafana/grafana-foundation-sdk/timeseries";

/**
 * Grafana's schema as types: its CUE files, from which Grafana Labs generates the package. A panel's options and fields
 * are those of its kind, queries are Prometheus's; what JSON has as text is one of an enum's values.
 */
type Json<T> = T extends string
  ? `${T}`
  : T extends (infer U)[]
    ? Json<U>[]
    : T extends object
      ? { [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : K]: Json<T[K]> }
      : T;
type Fields<Custom> = Omit<FieldConfigSource, "defaults"> & {
  defaults: Omit<FieldConfig, "custom"> & { custom?: Custom };
};
type Kind<Type, Options, Custom> = Omit<Panel, "type" | "options" | "targets" | "fieldConfig"> & {
  type: Type;
  options: Options;
  targets: Dataquery[];
  fieldConfig: Fields<Custom>;
};
export interface Kinds {
  stat: Json<Kind<"stat", stat.Options, never>>;
  timeseries: Json<Kind<"timeseries", timeseries.Options, timeseries.FieldConfig>>;
  heatmap: Json<Kind<"heatmap", heatmap.Options, heatmap.FieldConfig>>;
  table: Json<Kind<"table", table.Options, TableFieldOptions>>;
}
export type Frame = Json<Omit<Dashboard, "panels" | "annotations">>;
export type Annotation = Json<Omit<AnnotationQuery, "target">>;
