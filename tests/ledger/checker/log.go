package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// checkpoint opens a signed note and reads its three lines: origin, size, root hash.
func checkpoint(data []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, errors.New("a checkpoint states no size")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, errors.New("a checkpoint states no root hash")
	}
	return tlog.Tree{N: size, Hash: tlog.Hash(root)}, nil
}

// memory holds all hashes of a tree, as tlog numbers them.
type memory []tlog.Hash

func (hashes memory) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(hashes)) {
			return nil, errors.New("the tree has no such hash")
		}
		found[i] = hashes[index]
	}
	return found, nil
}

// store reads tiles by the paths of C2SP tlog-tiles; tlog's own carry the height and call entries data.
type store map[string][]byte

func (objects store) Height() int { return height }

func (objects store) SaveTiles([]tlog.Tile, [][]byte) {}

func (objects store) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for i, tile := range wanted {
		data, err := objects.tile(tile)
		if err != nil {
			return nil, err
		}
		found[i] = data
	}
	return found, nil
}

// tile reads a tile of hashes from its own path or from the full tile that has replaced it.
func (objects store) tile(tile tlog.Tile) ([]byte, error) {
	if data, ok := objects[path(tile)]; ok {
		if len(data) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", path(tile), len(data))
		}
		return data, nil
	}
	full := tile
	full.W = 1 << height
	if data, ok := objects[path(full)]; ok && len(data) == full.W*tlog.HashSize {
		return data[:tile.W*tlog.HashSize], nil
	}
	return nil, fmt.Errorf("%s is missing", path(tile))
}

// bundle reads the entries below a tile of level 0.
func (objects store) bundle(index int64, width int) ([][]byte, error) {
	tile := tlog.Tile{H: height, L: -1, N: index, W: width}
	data, ok := objects[path(tile)]
	if !ok {
		tile.W = 1 << height
		if data, ok = objects[path(tile)]; !ok {
			return nil, fmt.Errorf("%s is missing", path(tile))
		}
	}
	var entries [][]byte
	for rest := data; len(rest) > 0; {
		if len(rest) < 2 {
			return nil, fmt.Errorf("%s ends within an entry", path(tile))
		}
		size := int(binary.BigEndian.Uint16(rest)) + 2
		if len(rest) < size {
			return nil, fmt.Errorf("%s ends within an entry", path(tile))
		}
		entries, rest = append(entries, rest[2:size]), rest[size:]
	}
	if len(entries) != tile.W {
		return nil, fmt.Errorf("%s holds %d entries", path(tile), len(entries))
	}
	return entries[:width], nil
}

func path(tile tlog.Tile) string {
	name := strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
	if tile.L == -1 {
		return "tile/entries/" + strings.TrimPrefix(name, "data/")
	}
	return "tile/" + name
}

func parse(name string) (tlog.Tile, bool) {
	rest, ok := strings.CutPrefix(name, "tile/")
	if !ok {
		return tlog.Tile{}, false
	}
	if entries, ok := strings.CutPrefix(rest, "entries/"); ok {
		rest = "data/" + entries
	}
	tile, err := tlog.ParseTilePath(fmt.Sprintf("tile/%d/%s", height, rest))
	return tile, err == nil && path(tile) == name
}

// checkLog derives everything again from the entries and compares it with what is stored and signed.
func checkLog(objects store, verifier note.Verifier, pinned []byte, lanes bool) (int64, error) {
	head, err := checkpoint(objects["checkpoint"], verifier)
	if err != nil {
		return 0, fmt.Errorf("checkpoint: %w", err)
	}
	signed, err := checkpoints(objects, verifier, head, pinned)
	if err != nil {
		return 0, err
	}
	entries, hashes, err := derive(objects, head.N)
	if err != nil {
		return 0, err
	}
	if err := checkTrees(signed, hashes); err != nil {
		return 0, err
	}
	if err := checkTiles(objects, signed, entries, hashes); err != nil {
		return 0, err
	}
	if err := checkEntries(objects, head, entries, hashes); err != nil {
		return 0, err
	}
	if lanes {
		if err := checkLanes(entries); err != nil {
			return 0, err
		}
	}
	return head.N, nil
}

// checkpoints returns all trees that were ever signed, smallest first, and refuses a name that is no part of a log.
func checkpoints(objects store, verifier note.Verifier, head tlog.Tree, pinned []byte) ([]tlog.Tree, error) {
	signed := []tlog.Tree{head}
	kept := false
	for name, data := range objects {
		if _, ok := parse(name); ok || name == "checkpoint" || name == "vkey" {
			continue
		}
		size, ok := strings.CutPrefix(name, "checkpoints/")
		if !ok {
			return nil, fmt.Errorf("%s is no part of a log", name)
		}
		tree, err := checkpoint(data, verifier)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if strconv.FormatInt(tree.N, 10) != size {
			return nil, fmt.Errorf("%s states %d entries", name, tree.N)
		}
		kept = kept || tree.N == head.N
		signed = append(signed, tree)
	}
	if !kept {
		return nil, fmt.Errorf("checkpoints/%d is missing", head.N)
	}
	if pinned != nil {
		tree, err := checkpoint(pinned, verifier)
		if err != nil {
			return nil, fmt.Errorf("pin: %w", err)
		}
		signed = append(signed, tree)
	}
	sort.Slice(signed, func(i, j int) bool { return signed[i].N < signed[j].N })
	if last := signed[len(signed)-1]; last.N > head.N {
		return nil, fmt.Errorf("the log has gone back from %d entries to %d, or `checkpoint` was copied before the rest", last.N, head.N)
	}
	return signed, nil
}

// derive reads all entries and hashes them into a tree of its own.
func derive(objects store, size int64) ([][]byte, memory, error) {
	var entries [][]byte
	var hashes memory
	for int64(len(entries)) < size {
		width := min(size-int64(len(entries)), 1<<height)
		found, err := objects.bundle(int64(len(entries))>>height, int(width))
		if err != nil {
			return nil, nil, err
		}
		for _, entry := range found {
			more, err := tlog.StoredHashes(int64(len(entries)), entry, hashes)
			if err != nil {
				return nil, nil, err
			}
			entries, hashes = append(entries, entry), append(hashes, more...)
		}
	}
	return entries, hashes, nil
}

// checkTrees proves each tree that was signed from the entries, and consistent with the one signed before it.
func checkTrees(signed []tlog.Tree, hashes memory) error {
	for i, tree := range signed {
		root, err := tlog.TreeHash(tree.N, hashes)
		if err != nil {
			return err
		}
		if root != tree.Hash {
			return fmt.Errorf("the entries do not lead to the root that was signed for %d of them", tree.N)
		}
		if i == 0 || signed[i-1].N == 0 {
			continue
		}
		before := signed[i-1]
		proof, err := tlog.ProveTree(tree.N, before.N, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, before.N, before.Hash); err != nil {
			return fmt.Errorf("%d entries do not extend %d: %w", tree.N, before.N, err)
		}
	}
	return nil
}

// checkTiles compares every tile and bundle: those each signed size needs, and whatever else is stored up to the newest.
func checkTiles(objects store, signed []tlog.Tree, entries [][]byte, hashes memory) error {
	wanted := map[tlog.Tile]bool{}
	before := int64(0)
	for _, tree := range signed {
		for _, tile := range tlog.NewTiles(height, before, tree.N) {
			// tlog also names the partial tiles of the sizes between; only those of signed sizes must be there.
			if tile.W < 1<<height && tile.N<<height+int64(tile.W) != tree.N>>(height*tile.L) {
				continue
			}
			wanted[tile] = true
			if tile.L == 0 {
				tile.L = -1
				wanted[tile] = true
			}
		}
		before = tree.N
	}
	for name := range objects {
		if tile, ok := parse(name); ok {
			if end := tile.N<<height + int64(tile.W); end<<(height*max(tile.L, 0)) <= before {
				wanted[tile] = true
			}
		}
	}
	for tile := range wanted {
		if tile.L == -1 {
			found, err := objects.bundle(tile.N, tile.W)
			if err != nil {
				return err
			}
			for i, entry := range found {
				if !bytes.Equal(entry, entries[tile.N<<height+int64(i)]) {
					return fmt.Errorf("%s differs from what the log was then", path(tile))
				}
			}
			continue
		}
		stored, err := objects.tile(tile)
		if err != nil {
			return err
		}
		derived, err := tlog.ReadTileData(tile, hashes)
		if err != nil {
			return err
		}
		if !bytes.Equal(stored, derived) {
			return fmt.Errorf("%s is not what its entries lead to", path(tile))
		}
	}
	return nil
}

// checkEntries proves each entry: by an audit path to the signed root, and by the tiles, which tlog itself authenticates.
func checkEntries(objects store, head tlog.Tree, entries [][]byte, hashes memory) error {
	indexes := make([]int64, len(entries))
	for i, entry := range entries {
		proof, err := tlog.ProveRecord(head.N, int64(i), hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, head.N, head.Hash, int64(i), tlog.RecordHash(entry)); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		indexes[i] = tlog.StoredHashIndex(0, int64(i))
	}
	if len(entries) == 0 {
		return nil
	}
	leaves, err := tlog.TileHashReader(head, objects).ReadHashes(indexes)
	if err != nil {
		return err
	}
	for i, entry := range entries {
		if leaves[i] != tlog.RecordHash(entry) {
			return fmt.Errorf("entry %d is not the one in its tile", i)
		}
	}
	return nil
}
