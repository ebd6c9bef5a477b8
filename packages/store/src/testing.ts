export { knowledgeStoreContract, type MakeStoreLayer } from "./internal/node/BaseContract.ts"
export { embeddedStoreContract, type MakeEmbeddedLayer } from "./internal/node/EmbeddedContract.ts"
