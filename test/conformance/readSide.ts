/**
 * Which cases of the public suite ask something of the reading side that streams of a journal can answer, and why the others of its
 * reading groups cannot. What stands in no group here is about writing, which those streams do not offer.
 */

/** Why a case of a reading group is not run. */
export const reasons = {
  messages:
    "it compares the messages with what was sent; those of a journal are its events, which carry it inside",
  text: "it needs a stream of text or bytes; those of a journal are JSON",
  empty: "it needs a stream with nothing in it; those of a journal begin with their first event",
  writes: "it asks something of PUT, POST or DELETE",
  large: "it sends more than a mark may hold"
}
export type Reason = keyof typeof reasons

/** Groups of the suite, with the beginnings of the cases that are not run. */
export const readSide: { readonly [group: string]: { readonly [title: string]: Reason } } = {
  "Read Operations": {
    "should read empty stream": "empty",
    "should read stream with data": "messages",
    "should read from offset": "messages"
  },
  "Long-Poll Operations": {
    "should wait for new data with long-poll": "messages",
    "should return immediately if data already exists": "messages"
  },
  "HTTP Protocol": {
    "should return correct headers on PUT": "writes",
    "should return 200 on idempotent PUT": "writes",
    "should return 409 on": "writes",
    "should return correct headers on POST": "writes",
    "should return 404 on POST": "writes",
    "should return correct headers on GET": "text",
    "should return empty body": "empty",
    "should read from offset": "messages",
    "should return 404 on DELETE": "writes",
    "should return 204 on successful DELETE": "writes",
    "should enforce": "writes",
    "should allow lexicographic": "writes",
    "should reject duplicate seq": "writes"
  },
  "Browser Security Headers": {
    "should include X-Content-Type-Options: nosniff on PUT": "writes",
    "should include X-Content-Type-Options: nosniff on POST": "writes"
  },
  "Content-Type Validation": {
    "should enforce content-type match on append": "writes",
    "should allow append": "writes"
  },
  "HEAD Metadata": { "should return metadata without body": "text" },
  "Offset Validation and Resumability": {
    "should accept -1 as sentinel": "messages",
    "should return same data for offset=-1": "messages",
    "should accept offset=now as sentinel": "text",
    "should be able to resume from offset=now": "messages",
    "should work with offset=now on empty stream": "text",
    "should return empty body for offset=now on non-JSON": "text",
    "should support offset=now with long-poll on empty stream": "messages",
    "should support resumable reads": "messages",
    "should return empty response when reading from tail": "text"
  },
  "Protocol Edge Cases": {
    "should reject empty POST body": "writes",
    "should handle PUT with initial body": "messages",
    "should preserve data immutability": "messages",
    "should enforce case-sensitive seq": "writes",
    "should handle binary data": "text",
    "should return Location": "writes",
    "should reject missing Content-Type on POST": "writes",
    "should accept PUT without Content-Type": "writes",
    "should ignore unknown query parameters": "messages"
  },
  "Long-Poll Edge Cases": { "should return immediately with Stream-Up-To-Date": "messages" },
  "Caching and ETag": { "should return 200 for non-matching": "messages" },
  "Read-Your-Writes Consistency": { should: "messages" },
  "Chunking and Large Payloads": { "should handle chunk-size": "messages", "should handle large": "large" },
  "SSE Mode": {
    "JSON SSE catch-up pairs": "messages",
    "base64 SSE catch-up": "text",
    "should wrap JSON data in arrays": "messages",
    "should handle newlines in text/plain": "text",
    "should prevent CRLF injection in payloads": "text",
    "should handle JSON payloads with embedded newlines": "messages",
    "should auto-detect": "text",
    "should include Stream-SSE-Data-Encoding": "text",
    "should base64 encode": "text",
    "should handle empty binary": "text",
    "should handle large binary": "text",
    "should handle binary data": "text",
    "should handle offset=now with auto-detected base64": "text"
  },
  "Offset Validation Properties": {},
  "Concurrent Writer Stress Tests": { "concurrent writers": "writes" },
  "HEAD with Stream Closure": {},
  "Read Closed Streams (Catch-up)": {
    "read-closed-stream-at-tail": "messages",
    "read-closed-stream-empty-body-eof": "text"
  },
  "Long-poll with Stream Closure": {},
  "SSE with Stream Closure": { "sse-live-reader-receives-final-append": "writes" }
}

/** Undefined when the case is run. */
export const whyNot = (group: string, title: string): string | undefined => {
  const exceptions = readSide[group]
  if (!exceptions) return "it is about writing"
  const exception = Object.entries(exceptions).find(([beginning]) => title.startsWith(beginning))
  return exception && reasons[exception[1]]
}
