// SPDX-License-Identifier: Apache-2.0

import java.io.FileInputStream;
import java.io.FileReader;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.PrivateKey;
import java.security.Security;
import java.util.List;
import org.bouncycastle.asn1.pkcs.PrivateKeyInfo;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.SignerInfoGenerator;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.openssl.jcajce.JcaPEMKeyConverter;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.util.CollectionStore;

/** SignCMS KEY CERTIFICATE ALGORITHM attached|detached attributes|direct IN OUT signs with BouncyCastle. */
class SignCMS {
    public static void main(String[] a) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        PrivateKey key = new JcaPEMKeyConverter().setProvider("BC").getPrivateKey(
            (PrivateKeyInfo) new PEMParser(new FileReader(a[0])).readObject());
        X509CertificateHolder certificate = (X509CertificateHolder) new PEMParser(new FileReader(a[1])).readObject();
        JcaSignerInfoGeneratorBuilder builder = new JcaSignerInfoGeneratorBuilder(
            new JcaDigestCalculatorProviderBuilder().setProvider("BC").build());
        builder.setDirectSignature(a[4].equals("direct"));
        SignerInfoGenerator signer = builder.build(new JcaContentSignerBuilder(a[2]).setProvider("BC").build(key), certificate);
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(signer);
        generator.addCertificates(new CollectionStore<>(List.of(certificate)));
        byte[] content = Files.readAllBytes(Paths.get(a[5]));
        Files.write(Paths.get(a[6]), generator.generate(new CMSProcessableByteArray(content), a[3].equals("attached")).getEncoded());
    }
}
