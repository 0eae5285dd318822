package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// place is what an entry says of where it stands: in its lane, and in its own stream.
type place struct {
	Lane   *int64  `json:"lane"`
	Lseq   int64   `json:"lseq"`
	Prev   string  `json:"prev"`
	Ts     int64   `json:"ts"`
	Stream *string `json:"stream"`
	Sseq   int64   `json:"sseq"`
}

type end struct {
	seq, ts int64
	hash    string
}

// checkLanes follows each lane: 1, 2, 3, ..., each entry naming the SHA-256 of the one before, and each stream likewise.
func checkLanes(entries [][]byte) error {
	lanes, streams := map[int64]end{}, map[string]int64{}
	for i, entry := range entries {
		var at place
		if err := json.Unmarshal(entry, &at); err != nil || at.Lane == nil || at.Stream == nil {
			return fmt.Errorf("entry %d says nothing of its place", i)
		}
		last, known := lanes[*at.Lane]
		if !known {
			last.hash = strings.Repeat("0", 64)
		}
		if at.Lseq != last.seq+1 || at.Prev != last.hash || at.Ts < last.ts {
			return fmt.Errorf("entry %d does not follow from the one before it in lane %d", i, *at.Lane)
		}
		if at.Sseq != streams[*at.Stream]+1 {
			return fmt.Errorf("entry %d is number %d of %s", i, at.Sseq, *at.Stream)
		}
		sum := sha256.Sum256(entry)
		lanes[*at.Lane] = end{at.Lseq, at.Ts, hex.EncodeToString(sum[:])}
		streams[*at.Stream] = at.Sseq
	}
	return nil
}

// checkProof reads a c2sp.org/tlog-proof@v1 file and proves the entry in its extra line.
func checkProof(data []byte, verifier note.Verifier) (int64, error) {
	top, signed, ok := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(top), "\n")
	if !ok || len(lines) < 3 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return 0, errors.New("not a proof file")
	}
	extra, hasEntry := strings.CutPrefix(lines[1], "extra ")
	number, hasIndex := strings.CutPrefix(lines[2], "index ")
	entry, err := base64.StdEncoding.Strict().DecodeString(extra)
	if err != nil || !hasEntry || !hasIndex {
		return 0, errors.New("the proof file names no entry")
	}
	index, err := strconv.ParseInt(number, 10, 64)
	if err != nil || strconv.FormatInt(index, 10) != number {
		return 0, errors.New("the proof file names no index")
	}
	var proof tlog.RecordProof
	for _, line := range lines[3:] {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(hash) != tlog.HashSize {
			return 0, errors.New("the proof file holds what is no hash")
		}
		proof = append(proof, tlog.Hash(hash))
	}
	tree, err := checkpoint(signed, verifier)
	if err != nil {
		return 0, err
	}
	return tree.N, tlog.CheckRecord(proof, tree.N, tree.Hash, index, tlog.RecordHash(entry))
}
