import { Boxes, BrainCircuit, Hammer, Play } from "lucide-react";

/** The places of the app, for the navigation and the command palette. */
export const PLACES = [
  { to: "/plugins", name: "Plugins", about: "All there are", icon: Boxes },
  { to: "/run", name: "Run", about: "Run a plugin, and your own runs", icon: Play },
  { to: "/builder", name: "Builder", about: "Write, try and deploy", icon: Hammer },
  { to: "/models", name: "Models", about: "What is there, playground, budgets", icon: BrainCircuit },
] as const;
