// Setup: what the doctor says, in Japanese.
import type { DoctorWords } from "../table";

export const doctor: DoctorWords = {
  doctor: "接続診断",
  open: "接続を確認",
  openOnCurtain: "原因を調べる",
  looking: "接続を調べています…",
  lookingDetail: "各サーバーを実際に試すため、最大 10 秒かかります。",
  browserSide: "このブラウザーから見て",
  serverSide: "サーバーから見て",
  again: "もう一度確認",
  copy: "レポートをコピー",
  copied: "コピーしました",
  copyFailed: "下のテキストを選択してコピーしてください",
  close: "閉じる",
  details: (count) => (count === 1 ? "試した経路" : `試した ${count} 個の経路すべて`),

  outcome: { passed: "正常", warning: "改善の余地あり", failed: "動作しません", skipped: "未確認" },

  verdict: {
    connected: { title: "直接接続されています", advice: "画面はサーバーからこのブラウザーまで最短の経路で届きます。" },
    relayed: {
      title: "TURN サーバー経由で接続されています",
      advice: "問題はありません。直接の経路ならもう少し速くなりますが、ファイアウォール、ルーター、またはサーバーの設定により使えません。",
    },
    serverSilent: { title: "サーバーが応答しません", advice: "デスクトップが動作していること、正しいネットワークまたは VPN にいることを確認し、もう一度お試しください。" },
    notTried: { title: "接続がメディア経路まで進んでいません", advice: "下のサーバー側の結果が手がかりになります。" },
    noRelayConfigured: {
      title: "中継経路のみ許可されていますが、TURN サーバーがありません",
      advice: "管理者が TURN サーバーを設定する（--turn-host）か、直接の経路を許可する（--ice-transport-policy=all）必要があります。",
    },
    relayCredentials: {
      title: "TURN サーバーがユーザー名またはパスワードを拒否しました",
      advice: "管理者が TURN の認証情報または共有シークレットを修正し、両方の時計を比べる必要があります。",
    },
    relayUnreachable: {
      title: "ここから TURN サーバーに接続できません",
      advice: "途中のファイアウォールが遮断しているか、動作していません。ポート 443 の TLS による TURN は、ほとんどのファイアウォールを通過します。",
    },
    noCandidates: {
      title: "このブラウザーはアドレスを提示していません",
      advice: "ブラウザーの設定、ポリシー、または拡張機能が WebRTC のネットワーク利用を禁じています（「WebRTC IP handling」）。許可するか、TURN をお使いください。",
    },
    serverNoCandidates: {
      title: "サーバーがアドレスを提示していません",
      advice: "ブラウザーから到達できるネットワークがないか、設定がすべてのアドレスを除外しています。詳しくは下のサーバー側の確認をご覧ください。",
    },
    blockedNoTurn: {
      title: "ファイアウォールがメディアを遮断し、TURN サーバーもありません",
      advice: "ページとサーバーは通信できますが、双方のアドレス間のパケットが通りません。管理者が UDP を開放するか、TURN サーバーを設定する必要があります。",
    },
    blockedTurnCredentials: {
      title: "ファイアウォールが直接の経路を遮断し、TURN サーバーがユーザー名またはパスワードを拒否しました",
      advice: "管理者が TURN の認証情報または共有シークレットを修正し、両方の時計を比べる必要があります。",
    },
    blockedTurnUnreachable: {
      title: "ファイアウォールが直接の経路を遮断し、TURN サーバーにも接続できません",
      advice: "ポート 443 の TLS による TURN は、ほとんどのファイアウォールを通過します。管理者が用意できます。",
    },
    blocked: {
      title: "TURN サーバーは動作していますが、それでも何も届きません",
      advice: "TURN サーバーがデスクトップのサーバーへの接続を許可されていない可能性があります。許可された相手と、両者の間のファイアウォールを確認してください。",
    },
  },

  server: {
    passed: { title: "動作しています", advice: "" },
    credentials: { title: "ユーザー名またはパスワードを拒否しました", advice: "認証情報または共有シークレットを修正してください。期限がある場合は両サーバーの時計を比べてください。" },
    forbidden: { title: "禁止されています", advice: "サーバーの規則がこのネットワークを除外しています。許可・拒否のアドレスを確認してください。" },
    quota: { title: "割り当てるアドレスがありません", advice: "割り当て上限を上げるか、中継ポートの範囲を広げてください。" },
    unreachable: { title: "このブラウザーから接続できません", advice: "ファイアウォールが遮断しているか、待ち受けがないか、（turns: の場合）証明書が信頼されていません。" },
    silent: { title: "時間内に応答しませんでした", advice: "ファイアウォールがパケットを破棄しています。TCP、またはポート 443 の TLS は UDP より通りやすくなります。" },
    refused: { title: "アドレスを返しませんでした", advice: "サーバーのログを確認してください。" },
  },
  took: (ms) => `${Math.round(ms)}\u00a0ms`,

  rowPath: "経路",
  rowGathered: "アドレス",
  rowPairs: "試行",
  rowServer: "サーバー",
  rowClock: "時計",
  rowDoctor: "レポート",
  pathDirect: (kind, ms) => `メディアは直接届いています（${kind}）。往復 ${ms}。`,
  pathRelayed: (kind, ms) => `メディアは TURN サーバー経由で届いています（${kind}）。往復 ${ms}。`,
  noPath: "確立した経路がありません。",
  unknownTime: "時間不明",
  gathered: (own, servers) => `このブラウザーの提示：${own}。サーバーの提示：${servers}。`,
  kinds: (host, srflx, relay) =>
    host + srflx + relay === 0 ? "なし" : [host > 0 ? `自身のアドレス ${host}` : "", srflx > 0 ? `外部から見たアドレス ${srflx}` : "", relay > 0 ? `中継アドレス ${relay}` : ""].filter(Boolean).join("、"),
  noUdp: "このブラウザーには UDP 用のアドレスがありません。設定またはポリシーが禁じています。",
  pairs: (tried, answered) => `${tried} 個の経路を試し、${answered} 個に応答がありました。`,
  pair: (local, kind, remote, state) => `${local} (${kind}) → ${remote}: ${state}`,
  pairChosen: "選択済み",
  pairAnswers: (answered, asked) => `応答 ${answered}/${asked}`,
  noServers: "STUN または TURN サーバーが設定されていません。",
  noServersAdvice: "厳しいファイアウォールの内側では、ページが接続できません。",
  clockFine: (seconds) => `このブラウザーとサーバーの時計の差は ${seconds} 秒です。`,
  clockWrong: (seconds) => `このブラウザーとサーバーの時計の差は ${seconds} 秒です。`,
  clockAdvice: "証明書や認証情報が拒否される可能性があります。両方の時計をネットワークで合わせてください。",
  noReport: "サーバー自身の確認結果を取得できませんでした。",
  noReportOf: (status) => `確認結果を求めたところ、サーバーは ${status} を返しました。`,
  noReportAdvice: "ランチャーのないサーバーにはありません。ブラウザーの確認結果は有効です。",

  checkName: {
    gpu: "GPU",
    encoder: "エンコーダー",
    media: "メディア",
    latency: "遅延",
    candidates: "アドレス",
    servers: "サーバー",
    stun: "STUN",
    turnUdp: "TURN, UDP",
    turnTcp: "TURN, TCP",
    turnTls: "TURN, TLS",
    dns: "名前解決",
    clock: "時計",
    sound: "音声",
    microphone: "マイク",
    webcam: "ウェブカメラ",
    gamepads: "ゲームパッド",
  },
};
