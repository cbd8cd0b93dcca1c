/** @file The Worker: mounts the routes and exports the classes the platform calls. */
export { Job } from "../durable-objects/job.ts";
export default { fetch: () => new Response("ok") };
