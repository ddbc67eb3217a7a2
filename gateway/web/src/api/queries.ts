/** What the pages read from the gateway, and what makes it stale. */
import { QueryClient, queryOptions } from "@tanstack/react-query";
import { getJson, segment } from "./client";
import { asApiError } from "./errors";
import type { Health, Models, Platform, PluginCode, PluginSummary, Revision, RevisionSource, Usage } from "./types";

/** Failures that pass by themselves; anything else is said at once. */
const WORTH_A_RETRY = new Set(["unavailable", "busy"]);

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // Offline is what the gateway says, not what the browser believes: it may run on this very machine.
      networkMode: "always",
      retry: (count, error) => count < 2 && WORTH_A_RETRY.has(asApiError(error).kind),
      retryDelay: (count) => 500 * 2 ** count,
    },
    mutations: { networkMode: "always" },
  },
});

export const pluginsQuery = queryOptions({
  queryKey: ["plugins", "list"],
  queryFn: ({ signal }) => getJson<PluginSummary[]>("/api/plugins/list", { signal }),
});

export const pluginQuery = (name: string) =>
  queryOptions({
    queryKey: ["plugins", "one", name],
    queryFn: ({ signal }) => getJson<PluginCode>(`/api/plugins/${segment(name)}/code`, { signal }),
  });

export const revisionsQuery = (name: string) =>
  queryOptions({
    queryKey: ["plugins", "revisions", name],
    queryFn: ({ signal }) => getJson<Revision[]>(`/api/plugins/${segment(name)}/revisions`, { signal }),
  });

export const revisionQuery = (name: string, revision: string) =>
  queryOptions({
    queryKey: ["plugins", "revision", name, revision],
    queryFn: ({ signal }) =>
      getJson<RevisionSource>(`/api/plugins/${segment(name)}/revisions/${segment(revision)}`, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  });

export const modelsQuery = queryOptions({
  queryKey: ["models"],
  queryFn: ({ signal }) => getJson<Models>("/api/models", { signal }),
});

export const usageQuery = queryOptions({
  queryKey: ["usage"],
  queryFn: ({ signal }) => getJson<Usage>("/api/ai/usage", { signal }),
});

export const platformQuery = queryOptions({
  queryKey: ["platform"],
  queryFn: ({ signal }) => getJson<Platform>("/api/platform", { signal }),
  staleTime: Number.POSITIVE_INFINITY,
});

export const healthQuery = queryOptions({
  queryKey: ["health"],
  queryFn: ({ signal }) => getJson<Health>("/health", { signal }),
});

/** Forget what is known of all plugins, or of one and of the list; pages that show it ask again. */
export async function pluginsChanged(): Promise<void> {
  await queryClient.invalidateQueries({ queryKey: ["plugins"] });
}
