// Checker reads copies of a transparency log and says of each whether it is sound. It shares no code with the program
// that wrote them: signatures, hashes, tiles and proofs are those of golang.org/x/mod/sumdb.
//
//	checker -vkey KEY [-pin FILE] [-lanes] DIR...
//	checker -vkey KEY -proof FILE...
//
// Each line of output is a path, a tab, and "sound N entries" or what is wrong. The exit code is 1 when one is not sound.
package main

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	vkey := flag.String("vkey", "", "the log's public key, or a file that holds it")
	pin := flag.String("pin", "", "a checkpoint seen before, which the log must extend")
	lanes := flag.Bool("lanes", false, "also follow the chain of each lane through the entries")
	proofs := flag.Bool("proof", false, "the arguments are proof files, with the entry in their extra line")
	flag.Parse()
	if data, err := os.ReadFile(*vkey); err == nil {
		*vkey = string(data)
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(*vkey))
	if err != nil || flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "checker: a public key and something to check are needed:", err)
		os.Exit(2)
	}
	var pinned []byte
	if *pin != "" {
		if pinned, err = os.ReadFile(*pin); err != nil {
			fmt.Fprintln(os.Stderr, "checker:", err)
			os.Exit(2)
		}
	}
	code := 0
	for _, path := range flag.Args() {
		var size int64
		if *proofs {
			size, err = checkFile(path, verifier)
		} else {
			size, err = checkDirectory(path, verifier, pinned, *lanes)
		}
		if err != nil {
			code = 1
			fmt.Printf("%s\t%v\n", path, err)
			continue
		}
		fmt.Printf("%s\tsound %d entries\n", path, size)
	}
	os.Exit(code)
}

func checkFile(path string, verifier note.Verifier) (int64, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return checkProof(data, verifier)
}

func checkDirectory(root string, verifier note.Verifier, pinned []byte, lanes bool) (int64, error) {
	objects := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, item fs.DirEntry, err error) error {
		if err != nil || item.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		objects[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		return 0, err
	}
	return checkLog(objects, verifier, pinned, lanes)
}
