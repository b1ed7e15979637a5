// Setup: what the page says of what is shared with the desktop, in Japanese.
import type { ShareWords } from "../table";

export const share: ShareWords = {
  tabShare: "共有",
  nothingShared: "現在共有されているものはありません。運用者が無効にしているか、ほかの人が操作しています。",
  clipboard: "クリップボード",
  clipboardWay: { both: "双方向", in: "デスクトップへのみ", out: "デスクトップからのみ" },
  clipboardAsks: "Ctrl V でほかの場所でコピーした内容を貼り付けます。マウスで貼り付けるには、このページがクリップボードを読み取る必要があります。",
  allowClipboard: "読み取りを許可",
  copyMarked: "選択範囲をコピー",
  copyMarkedHint: "デスクトップで選択されているテキスト(中央ボタンで貼り付く内容)をクリップボードに入れます。",
  copiedMarked: "デスクトップの選択範囲がクリップボードに入りました。",
  pasting: (percent) => `貼り付け中… ${percent}\u00a0%`,
  clipboardMissed: {
    tooLarge: (limit) => `コピーした内容が大きすぎます。デスクトップとの間でコピーできるのは ${limit} までです。`,
    notAllowed: "この方向ではクリップボードは共有されません。",
    empty: "コピーできるものがないか、ブラウザーが受け取れません。",
    malformed: "コピーした内容が途中で壊れました。もう一度コピーしてください。",
    failed: "デスクトップのプログラムがコピーした内容を渡しませんでした。もう一度コピーしてください。",
    impossible: "デスクトップでコピーした内容をブラウザーが受け取れません。画像には https で始まるアドレスが必要です。",
  },
  megabytes: (count) => `${count}\u00a0MB`,
};
