// The README's first story, typed by the API document: a workflow that asks a person, and goes on after the yes.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Run = components["schemas"]["Run"];

const baseUrl = process.env.BASE_URL!;
const login = await createClient<paths>({ baseUrl }).POST("/api/v1/auth/login", {
  body: { email: process.env.EMAIL!, password: process.env.PASSWORD! },
});
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${login.data!.access_token}` } });

const workflow = await api.POST("/api/v1/workflows", {
  body: {
    name: "Refund",
    type: "graph",
    definition: {
      nodes: [
        { id: "amount", type: "transform", config: { output: { sum: "$input.sum" } } },
        { id: "gate", type: "human_gate", config: { message: "Pay it back?" } },
        { id: "paid", type: "static", config: { output: { refunded: true } } },
      ],
      edges: [
        { from: "amount", to: "gate" },
        { from: "gate", to: "paid" },
      ],
    },
  },
});
const start = await api.POST("/api/v1/workflows/{id}/runs", {
  params: { path: { id: workflow.data!.id } },
  body: { input: { sum: 120 }, mode: "auto" },
});
const id = start.data!.id;

async function until(statuses: Run["status"][]): Promise<Run> {
  for (;;) {
    const run = await api.GET("/api/v1/runs/{id}", { params: { path: { id }, header: { Prefer: "wait=30" } } });
    if (statuses.includes(run.data!.status)) return run.data!;
  }
}

await until(["paused"]);
await api.PATCH("/api/v1/runs/{id}/resume", {
  params: { path: { id } },
  body: { approval_input: { approved: true, comment: "fine" } },
});
const end = await until(["completed", "failed", "cancelled"]);
console.log(JSON.stringify({ status: end.status, result: end.result }));
