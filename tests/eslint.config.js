// Setup: lint rules for the TypeScript under tests/. A promise that nobody awaits is a test that cannot fail.
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

export default tseslint.config(
  eslint.configs.recommended,
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./desktop_to_browser/tsconfig.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowRegExp: true }],
      // node:test's test() and describe() return promises that its runner awaits.
      "@typescript-eslint/no-floating-promises": [
        "error",
        { allowForKnownSafeCalls: [{ from: "package", name: ["test", "it", "describe", "suite"], package: "node:test" }] },
      ],
      // TypeScript's own rule for index signatures wants the brackets.
      "@typescript-eslint/dot-notation": "off",
    },
  },
  {
    files: ["eslint.config.js", "desktop_to_browser/selkies_client/client.js"],
    extends: [tseslint.configs.disableTypeChecked],
  },
  {
    // A page's script, as that of the client that it stands for.
    files: ["desktop_to_browser/selkies_client/client.js"],
    languageOptions: {
      sourceType: "script",
      globals: Object.fromEntries(
        ["window", "document", "location", "WebSocket", "RTCPeerConnection", "RTCIceCandidate", "URLSearchParams", "fetch", "btoa", "innerWidth", "innerHeight", "devicePixelRatio"].map((name) => [name, "readonly"]),
      ),
    },
    rules: { "@typescript-eslint/explicit-function-return-type": "off" },
  },
);
