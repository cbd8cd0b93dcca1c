import { DurableObject } from "cloudflare:workers";
export class Job extends DurableObject<Env> {}
