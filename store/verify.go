package store

import (
	"context"
	"fmt"
	"io"

	"go.etcd.io/bbolt"

	"vpnbot/change/trail"
)

// Proof says how to verify a trail.
type Proof struct {
	// VerifierKey checks signatures; with an empty one the checkpoints are
	// compared with the trail and their signatures are not checked.
	VerifierKey string
	// External is a checkpoint that was kept outside the ledger; nil is none.
	External []byte
}

// Verified is what a verification found to hold.
type Verified struct {
	Head        trail.Head `json:"head"`
	Checkpoints int        `json:"checkpoints"` // inside the ledger
	Signed      bool       `json:"signed"`      // their signatures were checked
	// Attested is the size up to which the external checkpoint speaks for the
	// trail.
	Attested uint64 `json:"attested,omitempty"`
}

// Verify checks the whole trail: that the chain holds from the first event on,
// that every request stands where its last event says and holds the plan that
// its digest names, that every checkpoint in the ledger was signed over the
// trail, and that the external one was. The error says which event, request or
// checkpoint does not hold and wraps trail.ErrBroken, trail.ErrSignature,
// trail.ErrCheckpoint or ErrDamaged.
func (s *Store) Verify(ctx context.Context, p Proof) (Verified, error) {
	said, err := s.statements(ctx, p)
	if err != nil {
		return Verified{}, err
	}
	asRead, err := s.standing(ctx)
	if err != nil {
		return Verified{}, err
	}
	told := make(story)
	hashes := make(map[uint64]trail.Hash)
	for _, st := range said {
		hashes[st.Head.Size] = trail.Hash{}
	}
	head, err := trail.Verify(s.Trail(ctx), func(r trail.Record) error {
		if _, wanted := hashes[r.Seq]; wanted {
			hashes[r.Seq] = r.Hash
		}
		if r.Seq <= asRead.size {
			told.hear(r.Event)
		}
		return nil
	})
	if err == nil {
		err = asRead.agree(told)
	}
	if err != nil {
		return Verified{}, fmt.Errorf("verifying the trail: %w", err)
	}
	v := Verified{Head: head, Checkpoints: len(said), Signed: p.VerifierKey != ""}
	for _, st := range said {
		err := st.Holds(func(seq uint64) (trail.Hash, bool) { return hashes[seq], seq <= head.Size })
		if err != nil {
			return Verified{}, fmt.Errorf("verifying the checkpoint of size %d: %w", st.Head.Size, err)
		}
	}
	if p.External != nil {
		v.Checkpoints--
		v.Attested = said[len(said)-1].Head.Size
	}
	return v, nil
}

// statements reads the checkpoints of the ledger and last the external one.
func (s *Store) statements(ctx context.Context, p Proof) ([]trail.Statement, error) {
	kept, err := s.Checkpoints(ctx)
	if err != nil {
		return nil, err
	}
	var said []trail.Statement
	for _, c := range kept {
		st, err := p.read(c.Note)
		if err != nil {
			return nil, fmt.Errorf("checkpoint of size %d: %w", c.Size, err)
		}
		if st.Head.Size != c.Size {
			return nil, fmt.Errorf("checkpoint of size %d: %w: it says %d", c.Size, trail.ErrCheckpoint, st.Head.Size)
		}
		said = append(said, st)
	}
	if p.External != nil {
		st, err := p.read(p.External)
		if err != nil {
			return nil, fmt.Errorf("external checkpoint: %w", err)
		}
		said = append(said, st)
	}
	return said, nil
}

func (p Proof) read(note []byte) (trail.Statement, error) {
	if p.VerifierKey == "" {
		return trail.ReadCheckpoint(note)
	}
	return trail.OpenCheckpoint(note, p.VerifierKey)
}

// Copy writes the ledger as it stands to w: a whole ledger file that can be
// opened. Commits go on meanwhile.
func (s *Store) Copy(ctx context.Context, w io.Writer) error {
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		_, err := tx.WriteTo(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("copying ledger: %w", err)
	}
	return nil
}

// Stats are figures about a ledger.
type Stats struct {
	Moves   uint64 // committed since Open
	Refused uint64 // moves that were not
	Batches uint64 // transactions that they took
	Events  uint64 // in the trail
	Bytes   int64  // of the file
	Outbox  int    // notices that wait
	Inbox   int    // deliveries that wait
}

// Stats returns figures about the ledger.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	st := Stats{Moves: s.stats.moves.Load(), Refused: s.stats.refused.Load(), Batches: s.stats.batches.Load()}
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		st.Bytes = tx.Size()
		for name, n := range map[string]*int{bucketOutbox: &st.Outbox, bucketInbox: &st.Inbox} {
			b, err := bucket(tx, name)
			if err != nil {
				return err
			}
			*n = b.Stats().KeyN
		}
		b, err := bucket(tx, bucketEvents)
		if err != nil {
			return err
		}
		h, err := headOf(b)
		st.Events = h.Size
		return err
	})
	if err != nil {
		return Stats{}, fmt.Errorf("reading figures: %w", err)
	}
	return st, nil
}
