// Admin: what tests ask of a Kafka beyond what distlog and kcat do. `java -cp 'lib/*' Admin.java BROKERS COMMAND…`
//   make N TOPIC…: topics of N partitions · delete TOPIC · partitions TOPIC N
//   config (TOPIC NAME)…: prints the values, on one line
//   largest TOPIC BYTES: the largest record that it takes, max.message.bytes
//   user NAME PASSWORD: makes it, for SCRAM-SHA-512, or changes its password
//   deny|permit|lift USER OPERATION TOPIC|GROUP|TRANSACTIONAL_ID|CLUSTER NAME…; lift takes a deny back;
//     a NAME that ends with * is of all that begin like that
//   trim TOPIC PARTITION OFFSET: removes the records before it, as retention does
// SPDX-License-Identifier: Apache-2.0
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.acl.*;
import org.apache.kafka.common.resource.*;

public class Admin {
    public static void main(String[] a) throws Exception {
        try (var admin = org.apache.kafka.clients.admin.Admin.create(Map.of("bootstrap.servers", (Object) a[0]))) {
            switch (a[1]) {
            case "make" ->
                admin.createTopics(Arrays.stream(a).skip(3).map(t -> new NewTopic(t, Integer.parseInt(a[2]), (short) 1)).toList()).all().get();
            case "delete" -> admin.deleteTopics(List.of(a[2])).all().get();
            case "partitions" ->
                admin.createPartitions(Map.of(a[2], NewPartitions.increaseTo(Integer.parseInt(a[3])))).all().get();
            case "trim" ->
                admin.deleteRecords(Map.of(new TopicPartition(a[2], Integer.parseInt(a[3])),
                    RecordsToDelete.beforeOffset(Long.parseLong(a[4])))).all().get();
            case "config" -> {
                var values = new StringJoiner(" ");
                for (int i = 2; i < a.length; i += 2) {
                    var topic = new org.apache.kafka.common.config.ConfigResource(
                        org.apache.kafka.common.config.ConfigResource.Type.TOPIC, a[i]);
                    values.add(admin.describeConfigs(List.of(topic)).all().get().get(topic).get(a[i + 1]).value());
                }
                System.out.println(values);
            }
            case "largest" -> {
                var topic = new org.apache.kafka.common.config.ConfigResource(
                    org.apache.kafka.common.config.ConfigResource.Type.TOPIC, a[2]);
                admin.incrementalAlterConfigs(Map.of(topic, List.of(new AlterConfigOp(
                    new ConfigEntry("max.message.bytes", a[3]), AlterConfigOp.OpType.SET)))).all().get();
            }
            case "user" ->
                admin.alterUserScramCredentials(List.of(new UserScramCredentialUpsertion(a[2],
                    new ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), a[3]))).all().get();
            case "deny", "permit", "lift" -> {
                var acls = new ArrayList<AclBinding>();
                for (int i = 3; i < a.length; i += 3) {
                    boolean prefix = a[i + 2].endsWith("*");
                    var what = new ResourcePattern(ResourceType.fromString(a[i + 1]), a[i + 2].replace("*", ""),
                        prefix ? PatternType.PREFIXED : PatternType.LITERAL);
                    var way = a[1].equals("permit") ? AclPermissionType.ALLOW : AclPermissionType.DENY;
                    acls.add(new AclBinding(what, new AccessControlEntry("User:" + a[2], "*", AclOperation.fromString(a[i]), way)));
                }
                if (a[1].equals("lift")) admin.deleteAcls(acls.stream().map(AclBinding::toFilter).toList()).all().get();
                else admin.createAcls(acls).all().get();
            }
            default -> throw new IllegalArgumentException(a[1]);
            }
        }
    }
}
