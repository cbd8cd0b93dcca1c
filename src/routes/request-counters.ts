/** @file Requests as this isolate saw them, for /metrics: how many, how fast. */

/** Upper bounds in seconds. */
const BUCKETS = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60];

interface Timing {
  buckets: number[];
  seconds: number;
  count: number;
}

const requests = new Map<string, number>();
const timings = new Map<string, Timing>();

export function countRequest(method: string, route: string, status: number, ms: number): void {
  const seconds = ms / 1000;
  const name = `method="${method}",route="${escaped(route)}"`;
  const counted = `${name},status="${status}"`;
  requests.set(counted, (requests.get(counted) ?? 0) + 1);
  const timing = timings.get(name) ?? { buckets: BUCKETS.map(() => 0), seconds: 0, count: 0 };
  BUCKETS.forEach((bound, index) => {
    if (seconds <= bound) timing.buckets[index] = (timing.buckets[index] ?? 0) + 1;
  });
  timing.seconds += seconds;
  timing.count++;
  timings.set(name, timing);
}

/** In Prometheus' text format, version 0.0.4. */
export function requestLines(): string[] {
  const lines = [
    "# HELP hone_requests_total Requests answered by this isolate.",
    "# TYPE hone_requests_total counter",
    ...[...requests].map(([labels, count]) => `hone_requests_total{${labels}} ${count}`),
    "# HELP hone_request_seconds Time to the answer's first byte.",
    "# TYPE hone_request_seconds histogram",
  ];
  for (const [labels, { buckets, seconds, count }] of timings) {
    BUCKETS.forEach((bound, index) => {
      lines.push(`hone_request_seconds_bucket{${labels},le="${bound}"} ${buckets[index]}`);
    });
    lines.push(
      `hone_request_seconds_bucket{${labels},le="+Inf"} ${count}`,
      `hone_request_seconds_sum{${labels}} ${seconds}`,
      `hone_request_seconds_count{${labels}} ${count}`,
    );
  }
  return lines;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
