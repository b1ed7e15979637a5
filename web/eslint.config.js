// Setup: lint rules. Time and randomness are arguments, so that decisions can be tested with plain numbers.
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

const clockless = "Time and randomness are arguments: take a Clock (clock.ts), or a function.";

export default tseslint.config(
  { ignores: ["dist/"] },
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "no-console": ["error", { allow: ["warn", "error"] }],
      "no-restricted-globals": [
        "error",
        ...["setTimeout", "setInterval", "requestAnimationFrame", "performance", "Date"].map((name) => ({ name, message: clockless })),
      ],
      "no-restricted-properties": ["error", { object: "Math", property: "random", message: clockless }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/consistent-type-definitions": "off",
      // Finders of DOM elements name the kind they expect: `find<HTMLElement>("x")`.
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
    },
  },
  {
    // The shells that own the clock and the dice.
    files: ["src/clock.ts", "src/main.ts"],
    rules: { "no-restricted-globals": "off", "no-restricted-properties": "off" },
  },
  {
    files: ["eslint.config.js"],
    extends: [tseslint.configs.disableTypeChecked],
  },
);
