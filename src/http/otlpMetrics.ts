/** The metrics of `/metrics` in the words of OTLP: the same registry, the same names and labels, the same numbers. */
import type { MetricObjectWithValues, MetricValue, MetricValueWithName } from "prom-client"

export type Collected = ReadonlyArray<MetricObjectWithValues<MetricValue<string>>>

/** Instants in nanoseconds since 1970, as text: since when things are counted, and now. */
export interface Window {
  readonly since: string
  readonly until: string
}

/** OTLP's AGGREGATION_TEMPORALITY_CUMULATIVE: everything is counted since the hub started. */
const cumulative = 2

export const otlpMetrics = (collected: Collected, window: Window): ReadonlyArray<object> =>
  collected.flatMap((metric): ReadonlyArray<object> => {
    const { name, help: description } = metric
    const kind = String(metric.type)
    const values = metric.values as ReadonlyArray<MetricValueWithName<string>>
    if (values.length === 0) return []
    if (kind === "gauge") return [{ name, description, gauge: { dataPoints: values.map(point(window)) } }]
    if (kind === "counter") {
      const sum = { dataPoints: values.map(point(window)), isMonotonic: true }
      return [{ name, description, sum: { ...sum, aggregationTemporality: cumulative } }]
    }
    if (kind !== "histogram") return []
    const dataPoints = histogramPoints(name, values, window)
    return [{ name, description, histogram: { dataPoints, aggregationTemporality: cumulative } }]
  })

const times = ({ since, until }: Window) => ({ startTimeUnixNano: since, timeUnixNano: until })

type Labels = { readonly [name: string]: string | number | undefined }

const attributesOf = (labels: Labels) =>
  Object.entries(labels).map(([key, value]) => ({ key, value: { stringValue: String(value) } }))

const point =
  (window: Window) =>
  ({ labels, value }: MetricValueWithName<string>) => ({
    attributes: attributesOf(labels),
    ...times(window),
    asDouble: value
  })

/** Prometheus counts up to each bound, OTLP between the bounds. */
const histogramPoints = (
  name: string,
  values: ReadonlyArray<MetricValueWithName<string>>,
  window: Window
): ReadonlyArray<object> => {
  const series = new Map<string, { labels: Labels; below: Array<readonly [number, number]>; sum: number }>()
  for (const { labels, value, metricName } of values) {
    const { le, ...own } = labels as Labels
    const key = JSON.stringify(own)
    const one = series.get(key) ?? { labels: own, below: [], sum: 0 }
    series.set(key, one)
    if (metricName === `${name}_bucket`) one.below.push([Number(le === "+Inf" ? Infinity : le), value])
    if (metricName === `${name}_sum`) one.sum = value
  }
  return [...series.values()].map(({ labels, below, sum }) => {
    below.sort(([a], [b]) => a - b)
    return {
      attributes: attributesOf(labels),
      ...times(window),
      count: String(below.at(-1)?.[1] ?? 0),
      sum,
      explicitBounds: below.map(([bound]) => bound).filter(Number.isFinite),
      bucketCounts: below.map(([, count], index) => String(count - (below[index - 1]?.[1] ?? 0)))
    }
  })
}
