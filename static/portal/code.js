// CodeMirror as the portal uses it: to show files and differences, and to edit JSON.
import {
  EditorState, EditorView, HighlightStyle, StreamLanguage, bracketMatching, defaultKeymap,
  drawSelection, foldGutter, history, historyKeymap, indentOnInput, json, keymap, lineNumbers,
  syntaxHighlighting, tags, unifiedMergeView,
} from "../vendor/codemirror-6.43.15/codemirror.js";
import { gettext } from "./words.js";

// UCI, shell scripts and keys are close enough: words, quoted text, comments.
const uci = StreamLanguage.define({
  token(stream) {
    if (stream.eatSpace()) return null;
    if (stream.match(/#.*/)) return "comment";
    if (stream.match(/'[^']*'?/) || stream.match(/"[^"]*"?/)) return "string";
    if (stream.match(/(package|config|option|list)\b/)) return "keyword";
    if (stream.match(/[\w.\-/]+/)) return "variableName";
    stream.next();
    return null;
  },
});

const colors = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--code-keyword)" },
  { tag: [tags.string, tags.propertyName], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--code-number)" },
  { tag: tags.comment, color: "var(--faint)", fontStyle: "italic" },
]);

const look = EditorView.theme({
  "&": { fontSize: "12.5px", backgroundColor: "transparent", color: "var(--ink)" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.55" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--faint)", border: "none" },
  ".cm-content": { caretColor: "var(--ink)" },
  "&.cm-focused": { outline: "2px solid var(--accent)", outlineOffset: "-2px" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": {
    background: "color-mix(in oklab, var(--accent) 25%, transparent) !important",
  },
  ".cm-changedLine, .cm-insertedLine": { background: "var(--good-ground) !important" },
  ".cm-changedText, .cm-insertedLine ins": {
    background: "color-mix(in oklab, var(--good) 25%, transparent) !important",
    textDecoration: "none",
  },
  ".cm-deletedChunk": { background: "var(--bad-ground) !important" },
  ".cm-deletedChunk .cm-deletedText, .cm-deletedText": {
    background: "color-mix(in oklab, var(--bad) 25%, transparent) !important",
    textDecoration: "none",
  },
  ".cm-collapsedLines": { color: "var(--faint)", background: "var(--raised)" },
});

const common = [look, syntaxHighlighting(colors), drawSelection(), lineNumbers()];

/** A file to read; with `before`, as what changed since then. */
export function showFile(parent, text, before) {
  const compared =
    before === undefined
      ? []
      : [unifiedMergeView({ original: before, mergeControls: false, gutter: true,
          collapseUnchanged: { margin: 3, minSize: 6 } })];
  return new EditorView({
    parent,
    doc: text,
    extensions: [
      ...common, uci, EditorState.readOnly.of(true), EditorView.editable.of(false),
      EditorView.contentAttributes.of({ "aria-label": gettext("File"), tabindex: "0" }), ...compared,
    ],
  });
}

/** JSON to edit; `changed` is called with the text. */
export function editJson(parent, text, changed) {
  return new EditorView({
    parent,
    doc: text,
    extensions: [
      ...common, json(), foldGutter(), history(), indentOnInput(), bracketMatching(),
      keymap.of([...defaultKeymap, ...historyKeymap]),
      EditorView.contentAttributes.of({ "aria-label": gettext("Configuration as JSON") }),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) changed(update.state.doc.toString());
      }),
    ],
  });
}
