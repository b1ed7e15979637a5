// Setup: what the page says of what is shared with the desktop, in Chinese.
import type { ShareWords } from "../table";

export const share: ShareWords = {
  tabShare: "共享",
  nothingShared: "现在没有与您共享任何内容:管理员已关闭共享,或由他人控制。",
  clipboard: "剪贴板",
  clipboardWay: { both: "双向", in: "仅到桌面", out: "仅从桌面" },
  clipboardAsks: "Ctrl V 会粘贴您在别处复制的内容。要用鼠标粘贴,本页面需要读取剪贴板。",
  allowClipboard: "允许读取",
  copyMarked: "复制选中内容",
  copyMarkedHint: "将桌面上选中的文本(即鼠标中键粘贴的内容)放入您的剪贴板。",
  copiedMarked: "桌面上选中的内容已在您的剪贴板中。",
  pasting: (percent) => `正在粘贴… ${percent}\u00a0%`,
  clipboardMissed: {
    tooLarge: (limit) => `复制的内容太大:您与桌面之间最多可复制 ${limit}。`,
    notAllowed: "此方向不共享剪贴板。",
    empty: "没有可复制的内容,或浏览器无法接受。",
    malformed: "复制的内容在传输中损坏。请重新复制。",
    failed: "桌面上的程序没有提供复制的内容。请重新复制。",
    impossible: "您的浏览器不接受桌面上复制的内容。图片需要以 https 开头的地址。",
  },
  megabytes: (count) => `${count}\u00a0MB`,
};
