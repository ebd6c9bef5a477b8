/** How rows look where settings do not say. */
export const defaultFormats = {
  prompt: "You are a helpful assistant. Answer with the help of the following passages where they help.\n\n{data}",
  system: "{{ system }}\n",
  user: "User: {{ user }}\n",
  assistant: "Assistant: {{ assistant }}{{ eos }}\n",
}
