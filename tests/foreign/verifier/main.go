// Command verifier judges notes and proofs with Go's own implementation (golang.org/x/mod/sumdb), and makes some.
//
// One request a line, words with blanks between them, the first one naming what to do; one answer a line. Hashes and
// texts are base64. Few packages are imported because the test compiles all of them.
package main

import (
	"bufio"
	"encoding/base64"
	"errors"
	"os"
	"strconv"
	"strings"

	"verifier/note"
	"verifier/tlog"
)

var errRequest = errors.New("request not understood")

// stored holds the hashes of the log that "add" grows.
type stored []tlog.Hash

func (s stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(s)) {
			return nil, errors.New("no such hash")
		}
		hashes[i] = s[index]
	}
	return hashes, nil
}

// request reads words; the first that cannot be read is remembered.
type request struct {
	words []string
	err   error
}

func (r *request) word() string {
	if len(r.words) == 0 {
		r.err = errRequest
		return ""
	}
	word := r.words[0]
	r.words = r.words[1:]
	return word
}

func (r *request) number() int64 {
	n, err := strconv.ParseInt(r.word(), 10, 64)
	if err != nil {
		r.err = errRequest
	}
	return n
}

func (r *request) bytes() []byte {
	data, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.word(), "="))
	if err != nil {
		r.err = errRequest
	}
	return data
}

func (r *request) hash() (h tlog.Hash) {
	data := r.bytes()
	if len(data) != tlog.HashSize {
		r.err = errRequest
	}
	copy(h[:], data)
	return h
}

func (r *request) hashes() (all []tlog.Hash) {
	for len(r.words) > 0 {
		all = append(all, r.hash())
	}
	return all
}

func encode(data []byte) string { return base64.StdEncoding.EncodeToString(data) }

func encodeAll(hashes []tlog.Hash) string {
	words := make([]string, len(hashes))
	for i, hash := range hashes {
		words[i] = encode(hash[:])
	}
	return strings.Join(words, " ")
}

func (s *stored) answer(r *request) (string, error) {
	what := r.word()
	switch what {
	case "key": // key
		verifier, err := note.NewVerifier(string(r.bytes()))
		if r.err != nil || err != nil {
			return "", err
		}
		return encode([]byte(verifier.Name())), nil
	case "open": // note key...
		message := r.bytes()
		var known []note.Verifier
		for len(r.words) > 0 {
			verifier, err := note.NewVerifier(string(r.bytes()))
			if err != nil {
				return "", errRequest
			}
			known = append(known, verifier)
		}
		opened, err := note.Open(message, note.VerifierList(known...))
		if r.err != nil || err != nil {
			return "", err
		}
		words := encode([]byte(opened.Text))
		for _, signature := range opened.Sigs {
			words += " " + encode([]byte(signature.Name))
		}
		return words, nil
	case "inclusion": // size root index leaf path...
		size, root, index, leaf := r.number(), r.hash(), r.number(), r.hash()
		path := r.hashes()
		if r.err != nil {
			return "", r.err
		}
		return "", tlog.CheckRecord(path, size, root, index, leaf)
	case "consistency": // new root old root path...
		size, root, old, oldRoot := r.number(), r.hash(), r.number(), r.hash()
		path := r.hashes()
		if r.err != nil {
			return "", r.err
		}
		return "", tlog.CheckTree(path, size, root, old, oldRoot)
	case "sign": // key text
		signer, err := note.NewSigner(string(r.bytes()))
		if err != nil {
			return "", errRequest
		}
		signed, err := note.Sign(&note.Note{Text: string(r.bytes())}, signer)
		return encode(signed), err
	case "add": // body
		body := r.bytes()
		hashes, err := tlog.StoredHashes(r.number(), body, *s)
		*s = append(*s, hashes...)
		leaf := tlog.RecordHash(body)
		return encode(leaf[:]), err
	case "root": // size
		root, err := tlog.TreeHash(r.number(), *s)
		return encode(root[:]), err
	case "prove-inclusion": // size index
		size := r.number()
		path, err := tlog.ProveRecord(size, r.number(), *s)
		return encodeAll(path), err
	case "prove-consistency": // new old
		size := r.number()
		path, err := tlog.ProveTree(size, r.number(), *s)
		return encodeAll(path), err
	}
	return "", errRequest
}

func main() {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	var log stored
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			break
		}
		r := &request{words: strings.Fields(line)}
		text, err := log.answer(r)
		switch {
		case r.err != nil || err == errRequest:
			text = "misunderstood " + line[:len(line)-1]
		case err != nil:
			text = "refused " + err.Error()
		default:
			text = "accepted " + text
		}
		out.WriteString(text + "\n")
	}
	if out.Flush() != nil {
		os.Exit(1)
	}
}
