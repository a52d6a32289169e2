package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// stripFile rewrites an OCI config.json or process file without the capabilities outside the bounding set. A file that needs no change is
// not touched; otherwise it is replaced by rename with the mode kept, so that a reader sees the old or the new one and nothing between.
func stripFile(path string, bounding map[string]bool) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after, changed, err := strip(before, bounding)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if !changed {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".capless-*")
	if err != nil {
		return err
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(after)
	if chmodErr := temporary.Chmod(info.Mode().Perm()); err == nil {
		err = chmodErr
	}
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

// strip works on the parsed document, not on a typed specification: fields of newer runtimes must come through unchanged.
func strip(document []byte, bounding map[string]bool) ([]byte, bool, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber() // 64-bit limits do not survive float64
	var root map[string]any
	if err := decoder.Decode(&root); err != nil {
		return nil, false, err
	}
	process := root
	if inner, ok := root["process"].(map[string]any); ok {
		process = inner // config.json; a process file is the process itself
	}
	capabilities, ok := process["capabilities"].(map[string]any)
	if !ok {
		return document, false, nil
	}
	changed := false
	for set, value := range capabilities {
		list, ok := value.([]any)
		if !ok {
			continue
		}
		kept := make([]any, 0, len(list))
		for _, name := range list {
			if text, ok := name.(string); ok && !bounding[text] {
				changed = true
				continue
			}
			kept = append(kept, name)
		}
		capabilities[set] = kept
	}
	if !changed {
		return document, false, nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(root); err != nil {
		return nil, false, err
	}
	return out.Bytes(), true, nil
}
