// What the portal uses of CodeMirror 6, as one module: see README.md for the command.
export { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands"
export { json, jsonParseLinter } from "@codemirror/lang-json"
export {
  HighlightStyle, StreamLanguage, bracketMatching, foldGutter, foldKeymap, indentOnInput,
  syntaxHighlighting,
} from "@codemirror/language"
export { MergeView, unifiedMergeView } from "@codemirror/merge"
export { Compartment, EditorState } from "@codemirror/state"
export {
  EditorView, drawSelection, highlightActiveLine, keymap, lineNumbers, placeholder,
} from "@codemirror/view"
export { tags } from "@lezer/highlight"
